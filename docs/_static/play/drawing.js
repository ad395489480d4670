"use strict";
// Pictures on canvases: grey, overlay, difference, checkerboard, the frame, the joint histogram.
(() => {
  const { fixedColour, movingColour, shades } = PLAY;

  // A canvas as sharp as the screen, cleared; the pen works in CSS pixels.
  function pen(canvas) {
    const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = canvas;
    const wide = Math.max(1, Math.round(width * ratio)), high = Math.max(1, Math.round(height * ratio));
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    const context = canvas.getContext("2d");
    context.setTransform(wide / Math.max(width, 1), 0, 0, high / Math.max(height, 1), 0, 0);
    context.clearRect(0, 0, width, height);
    return { context, width, height };
  }

  // Pixels whose colour is colour(k, row, column) in 0..255, filling the canvas.
  function paint(canvas, { rows, columns }, colour, smooth) {
    canvas.style.aspectRatio = `${columns} / ${rows}`;
    const hidden = document.createElement("canvas");
    Object.assign(hidden, { width: columns, height: rows });
    const under = hidden.getContext("2d"), picture = under.createImageData(columns, rows);
    for (let i = 0, k = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++, k++) {
        const [r, g, b] = colour(k, i, j);
        picture.data.set([r, g, b, 255], 4 * k);
      }
    }
    under.putImageData(picture, 0, 0);
    const { context, width, height } = pen(canvas);
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(hidden, 0, 0, width, height);
    return { context, width, height };
  }

  const grey = (values) => (k) => [255 * values[k], 255 * values[k], 255 * values[k]];
  const views = {
    overlay: (f, w) => (k) => fixedColour.map((c, n) => 255 * (f[k] * c + w[k] * movingColour[n])),
    difference: (f, w) => (k) => {
      const d = w[k] - f[k];
      return (d < 0 ? fixedColour : movingColour).map((c) => 255 * Math.min(1, 1.4 * Math.abs(d)) * c);
    },
    checker: (f, w, side) => (k, i, j) =>
      grey((Math.floor(i / side) + Math.floor(j / side)) % 2 ? w : f)(k),
  };
  const legends = {
    overlay: "Blue: only the fixed picture. Orange: only the warped one. Grey to white: they agree.",
    difference: "Black: they agree. Blue: the fixed picture is brighter. Orange: the warped one is.",
    checker: "Fixed and warped picture in alternate squares: at the answer, lines run on.",
  };

  // The moving picture in a wider view, and the frame where the transform looks.
  function frame(canvas, wide, values, corners, smooth) {
    const { context, width, height } = paint(canvas, wide, grey(values), smooth);
    const at = ([x, y]) => [(x / wide.columns + 0.5) * width, (y / wide.rows + 0.5) * height];
    context.beginPath();
    corners.map(at).forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    for (const [colour, size] of [["#000", 4], ["#ffd23f", 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: size, lineJoin: "round" });
      context.stroke();
    }
    const [x, y] = at(corners[0]);  // the corner that is the frame's upper left
    context.fillStyle = "#ffd23f";
    context.beginPath();
    context.arc(x, y, 4, 0, 7);
    context.fill();
  }

  const shade = (part) => shades[Math.round(Math.min(1, Math.max(0, part || 0)) * (shades.length - 1))];

  // Fixed values to the right, warped ones upwards; brighter is more, on a logarithmic scale. A rim is left around, and
  // few lone spots may be drawn wide.
  function histogram(canvas, p, bins, wide) {
    const rim = 2, side = bins + 2 * rim, most = Math.max(...p), scale = Math.log(1 + 2000);
    const inside = (f, w) => (f >= 0 && f < bins && w >= 0 && w < bins ? p[f * bins + w] : 0);
    const around = wide ? [-1, 0, 1] : [0];
    const at = (f, w) => Math.max(...around.flatMap((a) => around.map((b) => inside(f + a, w + b))));
    const colour = (k, i, j) => shade(Math.log(1 + (2000 * at(j - rim, side - 1 - rim - i)) / most) / scale);
    const { context, width, height } = paint(canvas, { rows: side, columns: side }, colour, false);
    Object.assign(context, { strokeStyle: "rgba(255,255,255,.75)", lineWidth: 1 });
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(0, height);
    context.lineTo(width, 0);
    context.stroke();
    context.setLineDash([]);
    text(context, "fixed →", width - 5, height - 6, "right");
    context.save();
    context.translate(11, 5);
    context.rotate(-Math.PI / 2);
    text(context, "warped →", 0, 2, "right");
    context.restore();
  }

  function text(context, words, x, y, align) {
    Object.assign(context, { font: "600 11px system-ui, sans-serif", textAlign: align, lineWidth: 3, strokeStyle: "rgba(0,0,0,.7)", fillStyle: "#fff" });
    context.strokeText(words, x, y);
    context.fillText(words, x, y);
  }

  PLAY.drawing = { pen, paint, grey, views, legends, frame, histogram, shade };
})();
