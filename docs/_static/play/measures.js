"use strict";
// The numbers: pull a picture back through a pose, and compare. They are those of pullback.transforms.resample,
// pullback.ops.mse, ncc and joint_histogram, in double precision; tests/site/test_play_numbers.py holds them to that.
//
// A pose {tx, ty, angle} is the transform: x -> R(angle) x + (tx, ty), in mm from the middle of the picture, x to the
// right, y down, the angle in degrees from x towards y (clockwise on the screen). It maps fixed points to moving points.
(() => {
  const BINS = 32;

  function matrixOf({ tx, ty, angle }) {
    const c = Math.cos((angle * Math.PI) / 180), s = Math.sin((angle * Math.PI) / 180);
    return [c, -s, tx, s, c, ty];
  }

  // a after b, of matrices [a, b, x; c, d, y]
  function after(a, b) {
    return [
      a[0] * b[0] + a[1] * b[3], a[0] * b[1] + a[1] * b[4], a[0] * b[2] + a[1] * b[5] + a[2],
      a[3] * b[0] + a[4] * b[3], a[3] * b[1] + a[4] * b[4], a[3] * b[2] + a[4] * b[5] + a[5],
    ];
  }

  function inverse(m) {  // of a rotation and a shift
    return [m[0], m[3], -m[0] * m[2] - m[3] * m[5], m[1], m[4], -m[1] * m[2] - m[4] * m[5]];
  }

  // Where the moving picture was drawn: at the answer's inverse, so that the pose `truth` shows it as the fixed one.
  const placed = (truth, pose) => after(inverse(matrixOf(truth)), matrixOf(pose));

  // Read `image` (rows x columns) on a grid of the given size around the same middle, through a matrix in mm.
  // The edge is repeated for half a voxel; beyond it is 0.
  function warp(image, matrix, grid, interpolation, out) {
    const { rows, columns, values, spacing } = image, [a, b, e, c, d, f] = matrix;
    const x0 = (grid.columns - 1) / 2, y0 = (grid.rows - 1) / 2, right = (columns - 1) / 2, down = (rows - 1) / 2;
    for (let i = 0, k = 0; i < grid.rows; i++) {
      for (let j = 0; j < grid.columns; j++, k++) {
        const x = a * (j - x0) + b * (i - y0) + e / spacing + right, y = c * (j - x0) + d * (i - y0) + f / spacing + down;
        out[k] = x >= -0.5 && x < columns - 0.5 && y >= -0.5 && y < rows - 0.5
          ? (interpolation === "nearest" ? nearest : linear)(values, rows, columns, x, y) : 0;
      }
    }
    return out;
  }

  const nearest = (values, rows, columns, x, y) => values[Math.floor(y + 0.5) * columns + Math.floor(x + 0.5)];

  function linear(values, rows, columns, x, y) {
    x = Math.min(Math.max(x, 0), columns - 1);
    y = Math.min(Math.max(y, 0), rows - 1);
    const j = Math.min(Math.floor(x), columns - 2), i = Math.min(Math.floor(y), rows - 2);
    const u = x - j, v = y - i, k = i * columns + j;
    return (1 - v) * ((1 - u) * values[k] + u * values[k + 1])
      + v * ((1 - u) * values[k + columns] + u * values[k + columns + 1]);
  }

  function mse(fixed, warped) {
    let total = 0;
    for (let k = 0; k < fixed.length; k++) total += (warped[k] - fixed[k]) ** 2;
    return total / fixed.length;
  }

  function ncc(fixed, warped) {
    const n = fixed.length;
    let f = 0, w = 0, ff = 0, ww = 0, fw = 0;
    for (let k = 0; k < n; k++) { f += fixed[k]; w += warped[k]; }
    f /= n;
    w /= n;
    for (let k = 0; k < n; k++) {
      const i = fixed[k] - f, j = warped[k] - w;
      ff += i * i;
      ww += j * j;
      fw += i * j;
    }
    return fw / n / Math.sqrt((ff / n) * (ww / n) + 1e-16);  // a constant picture is unrelated to every other
  }

  // Mattes' joint histogram: the fixed value falls into one bin, the warped one is spread over four by a cubic spline.
  function jointHistogram(fixed, warped, bins = BINS) {
    const histogram = new Float64Array(bins * bins), share = 1 / fixed.length;
    for (let k = 0; k < fixed.length; k++) {
      const row = Math.floor(Math.min(Math.max(fixed[k], 0), 1) * (bins - 1) + 0.5) * bins;
      const at = Math.min(Math.max(warped[k], 0), 1) * (bins - 3) + 1, base = Math.min(Math.floor(at), bins - 3);
      const t = at - base, s = 1 - t, to = row + base;
      histogram[to - 1] += (share * s * s * s) / 6;
      histogram[to] += share * (2 / 3 - t * t + (t * t * t) / 2);
      histogram[to + 1] += share * (2 / 3 - s * s + (s * s * s) / 2);
      histogram[to + 2] += (share * t * t * t) / 6;
    }
    return histogram;
  }

  const entropy = (p) => { let h = 0; for (const q of p) if (q > 0) h -= q * Math.log(q); return h; };

  // Nats that the one picture tells of the other, and the entropy of the fixed one.
  function information(histogram, bins = BINS) {
    const f = new Float64Array(bins), w = new Float64Array(bins);
    for (let i = 0; i < bins; i++) {
      for (let j = 0; j < bins; j++) { f[i] += histogram[i * bins + j]; w[j] += histogram[i * bins + j]; }
    }
    return { mi: entropy(f) + entropy(w) - entropy(histogram), fixedEntropy: entropy(f) };
  }

  function decode(base64, rows, columns, spacing) {
    const bytes = atob(base64), values = new Float64Array(rows * columns);
    for (let k = 0; k < values.length; k++) values[k] = bytes.charCodeAt(k) / 255;
    return { rows, columns, spacing, values };
  }

  // One of the pictures, decoded; `inverted` is made of `same`.
  function open(name) {
    const from = PLAY.pictures[name], wide = [from.rows + 2 * from.margin, from.columns + 2 * from.margin, from.spacing];
    const moving = {};
    for (const [contrast, data] of Object.entries(from.moving)) moving[contrast] = decode(data, ...wide);
    moving.inverted = { ...moving.same, values: moving.same.values.map((v) => 1 - v) };
    return { fixed: decode(from.fixed, from.rows, from.columns, from.spacing), moving };
  }

  PLAY.measures = { BINS, matrixOf, after, inverse, placed, warp, mse, ncc, jointHistogram, information, open };
})();
