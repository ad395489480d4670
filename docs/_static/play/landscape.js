"use strict";
// What the measures look like around here: three curves along one parameter, and a map over both translations.
// They are computed from coarse to fine, a few milliseconds at a time, so that the page stays quick.
(() => {
  const POINTS = 121, SIDE = 41, MILLISECONDS = 9;
  const RANGE = { tx: 30, ty: 30, angle: 60 };
  const NAMES = { tx: ["t", "x", " right, mm"], ty: ["t", "y", " down, mm"], angle: ["θ", "", " clockwise, degrees"] };
  const TITLES = { mse: "MSE", ncc: "NCC", mi: "MI, nats" };
  const { pen, shade } = PLAY.drawing;

  // Indices 0 .. n-1, every eighth first, then every fourth ...
  function coarseToFine(n) {
    const order = [];
    for (let stride = 8; stride >= 1; stride /= 2) {
      for (let k = 0; k < n; k += stride) if (stride === 8 || k % (2 * stride)) order.push(k);
    }
    return order;
  }
  const LINE = coarseToFine(POINTS);
  const PLANE = [];
  for (let stride = 8; stride >= 1; stride /= 2) {
    for (let i = 0; i < SIDE; i += stride) {
      for (let j = 0; j < SIDE; j += stride) if (stride === 8 || i % (2 * stride) || j % (2 * stride)) PLANE.push([i, j]);
    }
  }
  const spread = (k, n, range) => (2 * k / (n - 1) - 1) * range;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function curves(canvas, job, scene) {
    const { context, width, height } = pen(canvas), { along, pose, measure } = scene, range = RANGE[along];
    const left = 54, right = width - 10, bottom = height - 32, each = bottom / 3;
    const x = (v) => left + ((v / range + 1) / 2) * (right - left);
    context.font = "12px system-ui, sans-serif";
    const known = LINE.slice(0, job.done).sort((a, b) => a - b);
    ["mse", "ncc", "mi"].forEach((name, n) => {
      const values = known.map((k) => job.values[k][name]), here = scene.values[name];
      const low = Math.min(here, ...values), high = Math.max(here, ...values), room = Math.max(high - low, 1e-9);
      const y = (v) => each * (n + 1) - 9 - ((v - low) / room) * (each - 32);
      const followed = name === measure;
      Object.assign(context, { strokeStyle: css("--line"), lineWidth: 1 });
      context.strokeRect(left + 0.5, Math.round(each * n + 18) + 0.5, right - left - 1, each - 23);
      Object.assign(context, { fillStyle: css(followed ? "--accent" : "--ink"), textAlign: "left" });
      context.font = "600 12px system-ui, sans-serif";
      context.fillText(TITLES[name], left, each * n + 12);
      Object.assign(context, { font: "11px system-ui, sans-serif", textAlign: "right", fillStyle: css("--faint") });
      context.fillText(high.toFixed(2), left - 6, y(high) + 4);
      context.fillText(low.toFixed(2), left - 6, y(low) + 4);
      if (scene.answer && scene.revealed) mark(context, x(scene.answer[along]), each * n + 18, each * n + each - 5);
      Object.assign(context, { strokeStyle: css(followed ? "--accent" : "--faint"), lineWidth: followed ? 2.2 : 1.5, lineJoin: "round" });
      context.beginPath();
      known.forEach((k, m) => context[m ? "lineTo" : "moveTo"](x(spread(k, POINTS, range)), y(job.values[k][name])));
      context.stroke();
      dot(context, x(pose[along]), y(here));
    });
    axis(context, along, range, x, bottom, (left + right) / 2);
  }

  function axis(context, along, range, x, y, middle) {
    Object.assign(context, { font: "11px system-ui, sans-serif", fillStyle: css("--faint"), textAlign: "center" });
    for (const part of [-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1]) {
      const v = Math.round(part * range);
      context.textAlign = part === -1 ? "left" : part === 1 ? "right" : "center";
      context.fillText(v < 0 ? `−${-v}` : v, x(v), y + 10);
    }
    name(context, along, middle, y + 26);
  }

  // t with its index below the line, and the unit
  function name(context, along, x, y) {
    const [letter, index, rest] = NAMES[along];
    context.textAlign = "left";
    Object.assign(context, { font: "12px system-ui, sans-serif", fillStyle: css("--ink") });
    const first = context.measureText(letter).width;
    context.font = "9px system-ui, sans-serif";
    const second = index ? context.measureText(index).width : 0;
    context.font = "12px system-ui, sans-serif";
    x -= (first + second + context.measureText(rest).width) / 2;
    context.fillText(letter, x, y);
    context.fillText(rest, x + first + second, y);
    context.font = "9px system-ui, sans-serif";
    if (index) context.fillText(index, x + first, y + 3);
  }

  function mark(context, x, from, to) {
    Object.assign(context, { strokeStyle: css("--answer"), lineWidth: 1.5 });
    context.setLineDash([4, 3]);
    context.beginPath();
    context.moveTo(x, from);
    context.lineTo(x, to);
    context.stroke();
    context.setLineDash([]);
  }

  function dot(context, x, y) {
    context.beginPath();
    context.arc(x, y, 5, 0, 7);
    Object.assign(context, { fillStyle: "#ffd23f", strokeStyle: "#000", lineWidth: 1.5 });
    context.fill();
    context.stroke();
  }

  function plane(canvas, job, scene) {
    const { context, width, height } = pen(canvas), side = Math.min(width - 40, height - 36), range = RANGE.tx;
    const left = Math.round((width - side + 26) / 2), top = 2;
    const at = (v, from) => from + ((v / range) * (SIDE - 1) / SIDE + 1) / 2 * side;
    const known = job.values.filter((v) => v !== undefined), low = Math.min(...known), high = Math.max(...known);
    const hidden = document.createElement("canvas");
    Object.assign(hidden, { width: SIDE, height: SIDE });
    const under = hidden.getContext("2d"), picture = under.createImageData(SIDE, SIDE);
    for (let i = 0; i < SIDE; i++) {
      for (let j = 0; j < SIDE; j++) {
        let v;
        for (let mask = 0; v === undefined && mask <= 7; mask = 2 * mask + 1) v = job.values[(i & ~mask) * SIDE + (j & ~mask)];
        const part = high > low ? (v - low) / (high - low) : 0;
        picture.data.set([...shade(scene.measure === "mse" ? 1 - part : part), 255], 4 * (i * SIDE + j));
      }
    }
    under.putImageData(picture, 0, 0);
    context.save();
    context.beginPath();
    context.rect(left, top, side, side);
    context.clip();
    context.imageSmoothingEnabled = job.done === PLANE.length;
    context.drawImage(hidden, left, top, side, side);
    trail(context, scene, at, left, top);
    context.restore();
    axis(context, "tx", range, (v) => left + ((v / range + 1) / 2) * side, top + side + 3, left + side / 2);
    context.save();
    context.translate(left - 12, top + side / 2);
    context.rotate(-Math.PI / 2);
    name(context, "ty", 0, 0);
    context.restore();
    job.place = { left, top, side, range };
  }

  function trail(context, { path, pose, answer, revealed }, at, left, top) {
    for (const [colour, size] of [["#000", 4], ["#fff", 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: size, lineJoin: "round" });
      context.beginPath();
      path.forEach((p, k) => context[k ? "lineTo" : "moveTo"](at(p.tx, left), at(p.ty, top)));
      context.stroke();
    }
    if (revealed) {
      const x = at(answer.tx, left), y = at(answer.ty, top);
      for (const [colour, size] of [["#000", 6], ["#ff7ab8", 3]]) {
        Object.assign(context, { strokeStyle: colour, lineWidth: size });
        context.beginPath();
        for (const s of [1, -1]) { context.moveTo(x - 8, y - 8 * s); context.lineTo(x + 8, y + 8 * s); }
        context.stroke();
      }
    }
    dot(context, at(pose.tx, left), at(pose.ty, top));
  }

  // Keeps both drawings up to date: show(scene) after every change. `go` is called with a pose that was clicked.
  PLAY.landscape = (profile, map, go) => {
    let line = { key: "" }, field = { key: "" }, scene = null, waiting = 0;

    function work() {
      waiting = 0;
      const until = performance.now() + MILLISECONDS;
      do {
        if (line.done < LINE.length) {
          const k = LINE[line.done++], to = spread(k, POINTS, RANGE[scene.along]);
          line.values[k] = scene.measureAt({ ...scene.pose, [scene.along]: to });
        } else if (field.done < PLANE.length) {
          const [i, j] = PLANE[field.done++];
          const pose = { ...scene.pose, tx: spread(j, SIDE, RANGE.tx), ty: spread(i, SIDE, RANGE.ty) };
          field.values[i * SIDE + j] = scene.measureAt(pose)[scene.measure];
        }
      } while (busy() && performance.now() < until);
      draw();
      if (busy()) later();
    }
    const busy = () => line.done < LINE.length || field.done < PLANE.length;
    const later = () => { waiting = waiting || requestAnimationFrame(work); };
    function draw() {
      curves(profile, line, scene);
      if (field.done > 0) plane(map, field, scene);
    }

    function show(next) {
      scene = next;
      const { pose, along } = scene, others = { ...pose, [along]: 0 };
      const lineKey = [scene.key, along, others.tx, others.ty, others.angle].join();
      const fieldKey = [scene.key, pose.angle, scene.measure].join();
      if (line.key !== lineKey) line = { key: lineKey, done: 0, values: [] };
      if (field.key !== fieldKey) field = { key: fieldKey, done: 0, values: new Array(SIDE * SIDE).fill(undefined) };
      later();
    }

    profile.addEventListener("click", (event) => {
      const part = (event.offsetX - 54) / (profile.clientWidth - 64);
      if (part >= 0 && part <= 1) go({ [scene.along]: (2 * part - 1) * RANGE[scene.along] });
    });
    map.addEventListener("click", (event) => {
      const { left, top, side, range } = field.place;
      const to = (v, from) => ((2 * (v - from)) / side - 1) * range * (SIDE / (SIDE - 1));
      const tx = to(event.offsetX, left), ty = to(event.offsetY, top);
      if (Math.max(Math.abs(tx), Math.abs(ty)) <= range) go({ tx, ty });
    });
    return { show, busy: () => busy() || waiting > 0, range: RANGE };
  };
})();
