"use strict";
// The page: what is chosen, what is shown, what happens on a click, a key or a drag.
(() => {
  const M = PLAY.measures, D = PLAY.drawing, byId = (id) => document.getElementById(id);
  const NAMES = ["tx", "ty", "angle"], LEVER = { tutorial: 20, chest: 45 }, HOME = { tx: 0, ty: 0, angle: 0 };
  const WIDER = 1.5;  // the view of the moving picture, as a part of the fixed one
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const opened = {};
  const state = {
    picture: "tutorial", contrast: "same", interpolation: "linear", view: "overlay", measure: "mse", along: "tx",
    pose: { ...HOME }, truth: { tx: 9, ty: -6, angle: 15 }, revealed: false, path: [], challenge: -1,
  };
  let scene = null, running = 0, waiting = 0;

  function sceneOf({ picture, contrast, interpolation, truth }) {
    const key = [picture, contrast, interpolation, truth.tx, truth.ty, truth.angle].join();
    if (scene && scene.key === key) return scene;
    const { fixed, moving } = (opened[picture] = opened[picture] || M.open(picture)), image = moving[contrast];
    const warped = new Float64Array(fixed.values.length);
    const warp = (pose) => M.warp(image, M.placed(truth, pose), fixed, interpolation, warped);
    const measureAt = (pose) => {
      warp(pose);
      const histogram = M.jointHistogram(fixed.values, warped), { mi } = M.information(histogram);
      return { mse: M.mse(fixed.values, warped), ncc: M.ncc(fixed.values, warped), mi, histogram };
    };
    const worst = Math.max(...[-30, -15, 0, 15, 30].flatMap((tx) => [-30, -15, 0, 15, 30].map((ty) => measureAt({ ...truth, tx, ty }).mse)));
    const itself = M.information(M.jointHistogram(fixed.values, fixed.values)).mi;
    scene = { key, fixed, image, warped, warp, measureAt, worst, itself, atAnswer: measureAt(truth), smooth: picture === "chest" };
    return scene;
  }

  const signed = (v, digits) => (v < 0 ? "−" : "+") + Math.abs(v).toFixed(digits);
  const errorOf = () => ({
    mm: Math.hypot(state.pose.tx - state.truth.tx, state.pose.ty - state.truth.ty),
    degrees: Math.abs(state.pose.angle - state.truth.angle),
  });

  function draw() {
    waiting = 0;
    const now = sceneOf(state), { fixed, warped, smooth } = now, values = now.measureAt(state.pose);
    D.paint(byId("stage"), fixed, D.views[state.view](fixed.values, warped, Math.round(fixed.rows / 5)), smooth);
    D.paint(byId("fixed"), fixed, D.grey(fixed.values), smooth);
    D.paint(byId("warped"), fixed, D.grey(warped), smooth);
    D.histogram(byId("histogram"), values.histogram, M.BINS, !smooth);
    drawMoving(now);
    write(values, now);
    land.show({ ...now, ...state, values, answer: state.truth });
  }

  function drawMoving({ fixed, image, smooth }) {
    const wide = { rows: Math.round(fixed.rows * WIDER), columns: Math.round(fixed.columns * WIDER) };
    const seen = M.warp(image, M.placed(state.truth, HOME), wide, "linear", new Float64Array(wide.rows * wide.columns));
    const [a, b, x, c, d, y] = M.matrixOf(state.pose), w = fixed.columns / 2, h = fixed.rows / 2, s = fixed.spacing;
    const corners = [[-w, -h], [w, -h], [w, h], [-w, h]].map(([u, v]) => [a * u + b * v + x / s, c * u + d * v + y / s]);
    D.frame(byId("moving"), wide, seen, corners, smooth);
  }

  function write({ mse, ncc, mi }, { fixed, worst, itself, atAnswer }) {
    const { pose, revealed } = state;
    const says = { tx: `${signed(pose.tx, 2)} mm`, ty: `${signed(pose.ty, 2)} mm`, angle: `${signed(pose.angle, 1)}°` };
    for (const name of NAMES) {
      byId(name).value = pose[name];
      byId(name).setAttribute("aria-valuetext", says[name]);
      byId(name + "Says").textContent = says[name];
    }
    const parts = { mse: (v) => 1 - v / worst, ncc: (v) => (v + 1) / 2, mi: (v) => v / itself };
    const texts = { mse: mse.toFixed(4), ncc: signed(ncc, 3).replace("+", ""), mi: `${mi.toFixed(3)} nats` };
    for (const [name, value] of Object.entries({ mse, ncc, mi })) {
      const width = (v) => `${100 * Math.min(1, Math.max(0, parts[name](v)))}%`;
      byId(name + "Says").textContent = texts[name];
      byId(name + "Bar").style.width = width(value);
      byId(name + "Best").style.left = width(atAnswer[name]);
      byId(name + "Best").hidden = !revealed;
    }
    byId("mseLow").textContent = worst.toFixed(2);
    byId("miHigh").textContent = `${itself.toFixed(2)}: fixed with itself`;
    byId("legend").textContent = `${D.legends[state.view]} Drag to move, with Shift to turn. A pixel is ${fixed.spacing} mm.`;
    byId("mapSays").textContent = `${state.measure.toUpperCase()} over both translations, at this rotation: the brighter, the better. ` +
      "Dot: here. White line: the way down." + (revealed ? " Cross: the answer." : "") + " Click to go there.";
    const { mm: away, degrees } = errorOf(), found = away < 0.5 && degrees < 1;
    byId("error").textContent = revealed ? `${found ? "Found. " : ""}Error: ${away.toFixed(2)} mm and ${degrees.toFixed(1)}°. ` +
      "Marked in the graphs and on the gauges: the answer." : "";
    byId("reveal").textContent = revealed ? "Hide the error" : "Show the error";
    byId("reveal").setAttribute("aria-pressed", revealed);
    [...byId("challenges").children].forEach((button, k) => button.setAttribute("aria-pressed", k === state.challenge));
    byId("task").hidden = state.challenge < 0;
  }

  const later = () => { waiting = waiting || requestAnimationFrame(draw); };

  // Change what is chosen; whatever changes the pose by hand ends a descent.
  function set(change) {
    stop();
    const anew = ["picture", "contrast", "truth"].some((name) => name in change);
    Object.assign(state, change, anew || change.pose ? { path: [] } : {});
    for (const name of ["picture", "contrast", "interpolation", "view", "measure"]) {
      const input = document.querySelector(`input[name=${name}][value=${state[name]}]`);
      if (input) input.checked = true;
    }
    later();
  }

  const within = (name, v) => Math.min(land.range[name], Math.max(-land.range[name], v));
  function go(change) {
    const pose = { ...state.pose };
    for (const name of Object.keys(change)) pose[name] = within(name, change[name]);
    const along = Object.keys(change).length === 1 ? Object.keys(change)[0] : state.along === "angle" ? "tx" : state.along;
    set({ pose, along });
  }

  // Move what is seen by (x, y) mm: the transform looks that much the other way.
  function moveSeen(x, y, from = state.pose) {
    const [a, b, , c, d] = M.matrixOf(from);
    go({ tx: from.tx - a * x - b * y, ty: from.ty - c * x - d * y });
  }

  const REASONS = {
    bottom: "Stopped in a valley: no small step goes lower.",
    flat: "Stopped: the landscape is flat here; there is no slope to follow.",
    away: "Stopped at the edge: it ran out of the picture.",
    tired: "Stopped after the most steps allowed.",
  };

  function stop(text) {
    if (running) clearInterval(running);
    running = 0;
    byId("descend").textContent = "Let it descend";
    byId("said").textContent = text || "";
  }

  function descend() {
    if (running) return stop("Stopped by you.");
    const now = sceneOf(state), sign = state.measure === "mse" ? 1 : -1, { measure } = state;
    const loss = (pose) => sign * now.measureAt(pose)[measure];
    const steps = PLAY.descend(loss, state.pose, { lever: LEVER[state.picture], spacing: now.fixed.spacing });
    let count = 0;
    state.path = [state.pose];
    const step = () => {
      const { value, done } = steps.next();
      const out = !done && NAMES.some((name) => Math.abs(value.pose[name]) > land.range[name]);
      if (done || out) {
        stop(`${REASONS[done ? value : "away"]} ${count} steps downhill by ${measure.toUpperCase()}. ` +
          (state.revealed ? "" : "Is it right? Show the error."));
        return false;
      }
      count++;
      state.pose = value.pose;
      state.path.push(value.pose);
      later();
      return true;
    };
    byId("descend").textContent = "Stop";
    byId("said").textContent = "";
    running = -1;
    if (still.matches) while (step());
    else running = setInterval(step, 45);
  }

  function puzzle() {
    const some = (range) => Math.round((2 * Math.random() - 1) * range * 2) / 2;
    set({ truth: { tx: some(14), ty: some(10), angle: some(25) }, pose: { ...HOME }, revealed: false, challenge: -1 });
  }

  function listen() {
    for (const name of ["picture", "contrast", "interpolation", "view", "measure"]) {
      document.querySelectorAll(`input[name=${name}]`).forEach((input) =>
        input.addEventListener("change", () => set({ [name]: input.value })));
    }
    for (const name of NAMES) byId(name).addEventListener("input", () => go({ [name]: Number(byId(name).value) }));
    byId("reset").addEventListener("click", () => set({ pose: { ...HOME } }));
    byId("puzzle").addEventListener("click", puzzle);
    byId("reveal").addEventListener("click", () => { state.revealed = !state.revealed; later(); });
    byId("descend").addEventListener("click", descend);
    byId("stage").addEventListener("keydown", keys);
    drag(byId("stage"));
    new ResizeObserver(later).observe(byId("stage"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
  }

  function keys(event) {
    const mm = event.shiftKey ? 0.25 : 1, key = event.key.toLowerCase();
    const moves = { arrowleft: [-mm, 0], arrowright: [mm, 0], arrowup: [0, -mm], arrowdown: [0, mm] };
    const turns = { q: mm, e: -mm };  // what is seen turns against the transform
    if (event.ctrlKey || event.metaKey || event.altKey || !(key in moves || key in turns)) return;
    event.preventDefault();
    if (key in moves) moveSeen(...moves[key]);
    else go({ angle: state.pose.angle + turns[key] });
  }

  function drag(stage) {
    let from = null;
    const place = (event) => {
      const box = stage.getBoundingClientRect(), mm = (scene.fixed.columns * scene.fixed.spacing) / box.width;
      return [(event.clientX - box.left - box.width / 2) * mm, (event.clientY - box.top - box.height / 2) * mm];
    };
    stage.addEventListener("pointerdown", (event) => {
      stage.setPointerCapture(event.pointerId);
      from = { at: place(event), pose: state.pose };
    });
    stage.addEventListener("pointermove", (event) => {
      if (!from || !(event.buttons & 1)) return;
      const [x, y] = place(event), [u, v] = from.at;
      if (!event.shiftKey) return moveSeen(x - u, y - v, from.pose);
      const turned = ((Math.atan2(y, x) - Math.atan2(v, u)) * 180) / Math.PI;
      go({ angle: from.pose.angle - (((turned + 540) % 360) - 180) });
    });
    stage.addEventListener("pointerup", () => { from = null; });
  }

  function list() {
    PLAY.challenges.forEach(({ title }, k) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: `${k + 1} ${title}` });
      button.addEventListener("click", () => challenge(k));
      byId("challenges").append(button);
    });
  }

  function challenge(k) {
    const { set: start, text, seen } = PLAY.challenges[k];
    set({ interpolation: "linear", view: "overlay", revealed: false, along: "tx", pose: { ...HOME }, ...start, challenge: k });
    byId("taskText").textContent = text;
    byId("taskSeen").textContent = seen;
    byId("taskMore").open = false;
  }

  // In the documentation's pages the theme is that of the page around.
  function followTheme() {
    try {
      const around = window.parent.document.documentElement, here = document.documentElement;
      if (window.parent === window) return;
      const copy = () => { here.dataset.theme = around.dataset.theme || ""; later(); };
      new MutationObserver(copy).observe(around, { attributeFilter: ["data-theme"] });
      copy();
    } catch { /* opened from a disk or on another site: the browser's own theme */ }
  }

  // #challenge=5 or #picture=chest&contrast=other&measure=mi
  function fromAddress() {
    const asked = new URLSearchParams(location.hash.slice(1)), change = {};
    for (const name of ["picture", "contrast", "interpolation", "view", "measure"]) {
      const value = asked.get(name);
      if (value && document.querySelector(`input[name=${name}][value="${CSS.escape(value)}"]`)) change[name] = value;
    }
    const k = Number(asked.get("challenge") || 1) - 1;
    if (Object.keys(change).length > 0) set({ ...change, challenge: -1 });
    else if (PLAY.challenges[k]) challenge(k);
  }

  byId("main").hidden = false;
  const land = PLAY.landscape(byId("profile"), byId("map"), go);
  list();
  listen();
  followTheme();
  fromAddress();
  addEventListener("hashchange", fromAddress);
  PLAY.page = {
    state, set, go, errorOf,
    measureAt: (pose) => sceneOf(state).measureAt(pose),
    busy: () => Boolean(running || waiting),
    mapping: () => land.busy(),
  };
})();
