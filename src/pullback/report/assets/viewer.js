"use strict";
// Three grey pictures of each slice (fixed, moving before, moving after) are mixed here, pixel by pixel.
(() => {
  const data = JSON.parse(document.getElementById("slices").textContent);
  const byId = (id) => document.getElementById(id);
  const film = byId("film"), canvas = byId("canvas"), context = canvas.getContext("2d");
  const position = byId("position"), slice = byId("slice"), zoom = byId("zoom");
  const legends = {
    overlay: "Blue: fixed. Orange: moving. Grey: they agree. Drag the line: before is on its left, after on its right.",
    swipe: "Drag the line: the fixed image is on its left, the aligned moving image on its right.",
    blink: "The fixed and the aligned moving image, in turn: what jumps is not aligned.",
    checker: "The fixed and the aligned moving image in alternate squares; the slider changes their size.",
    difference: "Blue: the fixed image is brighter. Orange: the moving one is. Before is left of the line, after right of it.",
  };
  const tags = { overlay: ["before", "after"], swipe: ["fixed", "aligned"], difference: ["before", "after"] };
  let strip = null, mode = "overlay", blinkFixed = true, timer = 0;

  const mix = (f, m) => data.fixedColour.map((c, k) => Math.min(255, f * c + m * data.movingColour[k]));
  const apart = (f, m) => {
    const d = Math.max(-1, Math.min(1, (m - f) / 128)), a = Math.abs(d) * 255;
    return (d < 0 ? data.fixedColour : data.movingColour).map((c) => a * c);
  };
  const grey = (v) => [v, v, v];
  const divided = () => (position.value / 100 - strip.focus[0]) / zoom.value + strip.focus[0];  // seen -> whole picture

  function chooser(n) {
    const { fixed, before, after, rows, columns } = strip;
    const begin = n * rows * columns, divide = divided() * columns;
    const edge = Math.max(strip.widthMm, strip.heightMm) / (2 + Math.round(position.value / 6));
    const odd = (x, y) => (Math.floor(((x + 0.5) * strip.widthMm) / columns / edge) +
                           Math.floor(((y + 0.5) * strip.heightMm) / rows / edge)) % 2;
    return (x, y) => {
      const at = begin + y * columns + x, f = fixed[at];
      switch (mode) {
        case "overlay": return mix(f, (x < divide ? before : after)[at]);
        case "difference": return apart(f, (x < divide ? before : after)[at]);
        case "swipe": return grey(x < divide ? f : after[at]);
        case "blink": return grey(blinkFixed ? f : after[at]);
        default: return grey(odd(x, y) ? after[at] : f);
      }
    };
  }

  function draw() {
    const { rows, columns } = strip, picture = context.createImageData(columns, rows), colour = chooser(Number(slice.value));
    for (let y = 0, k = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, k += 4) {
        [picture.data[k], picture.data[k + 1], picture.data[k + 2]] = colour(x, y);
        picture.data[k + 3] = 255;
      }
    }
    context.putImageData(picture, 0, 0);
    const split = mode in tags, names = tags[mode] || (mode === "blink" ? [blinkFixed ? "fixed" : "aligned", ""] : ["", ""]);
    canvas.style.transform = `scale(${zoom.value})`;
    byId("line").hidden = !split;
    byId("line").style.left = position.value + "%";
    byId("tag0").textContent = names[0];
    byId("tag1").textContent = names[1];
    film.classList.toggle("still", !split);
    byId("sliceName").textContent = strip.titles[slice.value] || "Slice";
  }

  function setMode(name) {
    mode = name;
    byId("legend").textContent = legends[mode];
    byId("positionName").textContent = mode === "checker" ? "Squares" : "Divide";
    byId("positionName").hidden = position.hidden = mode === "blink";
    clearInterval(timer);
    if (mode === "blink") timer = setInterval(() => { blinkFixed = !blinkFixed; draw(); }, 600);
    draw();
  }

  function setStrip(next) {
    strip = next;
    canvas.width = strip.columns;
    canvas.height = strip.rows;
    film.style.aspectRatio = strip.widthMm + " / " + strip.heightMm;
    film.style.width = `min(100%, ${strip.widthMm / strip.heightMm} * min(40rem, 58vh))`;
    canvas.style.transformOrigin = strip.focus.map((part) => 100 * part + "%").join(" ");
    slice.max = strip.titles.length - 1;
    slice.value = strip.start;
    byId("sliceName").hidden = slice.hidden = strip.titles.length < 2;
    for (let k = 0; k < 4; k++) byId("side" + k).textContent = strip.letters ? strip.letters[k] : "";
    draw();
  }

  async function decoded(address, size) {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    const hidden = document.createElement("canvas");
    hidden.width = picture.width;
    hidden.height = picture.height;
    const paint = hidden.getContext("2d", { willReadFrequently: true });
    paint.drawImage(picture, 0, 0);
    const pixels = paint.getImageData(0, 0, picture.width, picture.height).data, values = new Uint8Array(size);
    for (let k = 0; k < size; k++) values[k] = pixels[4 * k];
    return values;
  }

  async function begin() {
    for (const each of data.strips) {
      const size = each.rows * each.columns * each.titles.length;
      for (const name of ["fixed", "before", "after"]) each[name] = await decoded(each[name], size);
    }
    data.strips.forEach((each, k) => {
      if (data.strips.length < 2) return;
      const label = document.createElement("label"), input = document.createElement("input");
      Object.assign(input, { type: "radio", name: "strip", checked: k === 0 });
      input.addEventListener("change", () => setStrip(each));
      label.append(input, " " + each.name);
      byId("strips").append(label);
    });
    byId("modes").addEventListener("change", (event) => setMode(event.target.value));
    for (const range of [position, slice, zoom]) range.addEventListener("input", draw);
    const drag = (event) => {
      if (!(event.buttons & 1) || !(mode in tags)) return;
      const box = film.getBoundingClientRect();
      position.value = (100 * (event.clientX - box.left)) / box.width;
      draw();
    };
    film.addEventListener("pointerdown", (event) => { film.setPointerCapture(event.pointerId); drag(event); });
    film.addEventListener("pointermove", drag);
    byId("viewer").hidden = false;
    setStrip(data.strips[0]);
    document.querySelector(`input[name=mode][value=${data.mode}]`).checked = true;
    setMode(data.mode);
  }
  begin();
})();
