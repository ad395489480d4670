"use strict";
// Going downhill. Regular-step gradient descent: a step of fixed length against the slope, halved whenever the slope turns
// back. Slopes are central differences; a turn counts as the path of a point `lever` mm from the middle.
(() => {
  const FIRST_MM = 2.5, LAST_MM = 0.01, MOST_STEPS = 250;
  const NEXT = { tx: (p, h) => ({ ...p, tx: p.tx + h }), ty: (p, h) => ({ ...p, ty: p.ty + h }) };

  function slope(loss, pose, lever, h) {
    const turn = (p, mm) => ({ ...p, angle: p.angle + ((mm / lever) * 180) / Math.PI });
    return [NEXT.tx, NEXT.ty, turn].map((moved) => (loss(moved(pose, h)) - loss(moved(pose, -h))) / (2 * h));
  }

  // Yields {pose, loss, step} after each step; returns why it stopped.
  function* descend(loss, start, { lever, spacing }) {
    let pose = start, step = FIRST_MM * Math.max(1, spacing), before = null;
    for (let count = 1; count <= MOST_STEPS; count++) {
      const gradient = slope(loss, pose, lever, 0.5 * spacing), length = Math.hypot(...gradient);
      if (!(length > 1e-9)) return "flat";
      const down = gradient.map((g) => -g / length);
      if (before && down.reduce((sum, d, k) => sum + d * before[k], 0) < 0) step /= 2;
      if (step < LAST_MM) return "bottom";
      before = down;
      pose = {
        tx: pose.tx + step * down[0],
        ty: pose.ty + step * down[1],
        angle: pose.angle + ((step * down[2]) / lever) * (180 / Math.PI),
      };
      yield { pose, loss: loss(pose), step, count };
    }
    return "tired";
  }

  PLAY.descend = descend;
})();
