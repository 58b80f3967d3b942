/* The lab's chart: validation accuracy over updates or work, one curve or band for each network, the place where the
   network from scratch passes the grown one, and the chart as a picture to keep. */

Net2NetLab.Chart ??= (() => {
  const { range } = Net2Net;
  const { make, put, say } = Net2NetElement;
  const { KINDS, MOST_RUNS, count, percent } = Net2NetLab;

  const EDGE = { left: 46, right: 30, top: 12, bottom: 38 };
  const UNPAID = 0.25;         // of the axis at most for the teacher's training that is not on the bill
  const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-style", "font-weight", "text-anchor", "visibility"];

  const billions = (work) => `${Number((work / 1e9).toPrecision(2))}`;

  /* How much was spent, in words. */
  const spent = (x, axis) => (axis === "work" ? `${billions(x)} billion multiply-adds` : `${count(Math.round(x))} updates`);

  const color = (kind) => `var(--n2n-${KINDS[kind].color})`;

  function look(kind) {
    const { dash } = KINDS[kind];
    return `stroke: ${color(kind)}${dash ? `; stroke-dasharray: ${dash}` : ""}`;
  }

  class Chart {
    constructor() {
      this.svg = make("svg", { class: "n2n-plot", role: "img" });
      this.unpaid = make("rect", { class: "n2n-lab-unpaid" });
      this.unpaidName = make("text", { class: "n2n-tick" }, "not on the bill");
      this.frame = make("path", { class: "n2n-axis", fill: "none" });
      this.levels = [0.1, 0.5, 0.8, 0.9, 0.95].map((level) => ({
        level, line: make("line", { class: "n2n-axis" }), text: make("text", { class: "n2n-tick", "text-anchor": "end" }, `${100 * level} %`),
      }));
      this.ticks = range(8).map(() => make("text", { class: "n2n-tick", "text-anchor": "middle" }));
      this.axisName = make("text", { class: "n2n-tick", "text-anchor": "end" });
      this.stamp = make("text", { class: "n2n-lab-stamp", "text-anchor": "end" });
      this.curves = range(MOST_RUNS).map(() => ({
        area: make("path", { class: "n2n-lab-band", stroke: "none" }), path: make("path", { class: "n2n-curve", fill: "none" }),
        dot: make("circle", { r: 4 }), text: make("text", { class: "n2n-name" }),
      }));
      this.cross = make("line", { class: "n2n-lab-cross" });
      this.ring = make("circle", { class: "n2n-lab-cross", r: 8, fill: "none" });
      this.crossName = make("text", { class: "n2n-lab-crossed" }, "crossing");
      this.svg.append(this.unpaid, this.unpaidName, this.frame, ...this.levels.flatMap(({ line, text }) => [line, text]), ...this.ticks,
        this.axisName, this.stamp, ...this.curves.flatMap(({ area, path, dot, text }) => [area, path, dot, text]), this.cross, this.ring, this.crossName);
    }

    /* Draw `runs`, and their `curves` as Net2NetLab.placed has them; `crossed` is a point of one, `chosen` is a place. */
    draw({ wide, runs, curves, axis, chosen, crossed, stamp }) {
      const { left, right, top, bottom } = EDGE, high = wide < 480 ? 220 : 270, work = axis === "work";
      const most = Math.max(...curves.flat().map(([x]) => x), work ? 1e8 : 100);
      const least = Math.max(Math.min(...curves.flat().map(([x]) => x), 0), -UNPAID * most), span = most - least;
      const unit = 10 ** Math.floor(Math.log10(span / 2.5)), step = unit * [1, 2, 5, 10].find((m) => span / (unit * m) <= 5);
      const px = (x) => left + ((x - least) / span) * (wide - left - right);
      // Equal distances cut the errors by equal factors.
      const scale = (accuracy) => -Math.log(1.001 - Math.min(accuracy, 0.98)), [low, tall] = [scale(0.05), scale(0.97)];
      const py = (accuracy) => top + ((tall - scale(Math.max(accuracy, 0.05))) / (tall - low)) * (high - top - bottom);
      put(this.frame, { d: `M${px(0)} ${top}V${high - bottom}M${left} ${high - bottom}H${wide - right}` });
      put(this.unpaid, { x: left, y: top, width: Math.max(px(0) - left, 0), height: high - top - bottom });
      put(this.unpaidName, { x: left + 4, y: top + 12, visibility: px(0) - left > 80 ? "visible" : "hidden" });
      for (const { level, line, text } of this.levels) {
        put(line, { x1: left, x2: wide - right, y1: py(level), y2: py(level) });
        put(text, { x: left - 7, y: py(level) + 4 });
      }
      this.ticks.forEach((text, i) => {
        const x = (Math.ceil(least / step) + i) * step;
        say(text, x > most ? "" : work ? billions(x).replace("-", "−") : count(x).replace("-", "−"));
        put(text, { x: px(Math.min(x, most)), y: high - bottom + 16 });
      });
      say(this.axisName, work ? "work: billion multiply-adds" : "updates of 32 digits");
      put(this.axisName, { x: wide - right, y: high - 4 });
      say(this.stamp, stamp);
      put(this.stamp, { x: wide - right - 6, y: high - bottom - 10 });
      const ends = [], line = (points, column) => points.map((p) => `${px(p[0]).toFixed(1)} ${py(p[column]).toFixed(1)}`);
      this.curves.forEach(({ area, path, dot, text }, i) => {
        const points = (curves[i] ?? []).filter(([x]) => x >= least), any = points.length, { kind, letter } = runs[i] ?? {};
        const wideBand = any && points[0].length > 2;
        put(path, { d: any ? `M${line(points, 1).join("L")}` : "" });
        put(area, { d: wideBand ? `M${[...line(points, 2), ...line(points, 3).reverse()].join("L")}Z` : "" });
        put(dot, { visibility: any && curves[i][0][0] >= least ? "visible" : "hidden" });
        say(text, any ? letter : "");
        if (!any) return;
        put(path, { style: `${look(kind)}; stroke-width: ${i === chosen ? 3.4 : 2}` });
        put(area, { style: `fill: ${color(kind)}` });
        put(dot, { cx: px(points[0][0]), cy: py(points[0][1]), style: `fill: ${color(kind)}` });
        const [x, y] = points.at(-1), inner = x < most - 0.03 * span;
        ends.push({ text, x: px(x) + (inner ? -9 : 6), y: py(y) + (inner ? -9 : 4), color: color(kind) });
      });
      Net2NetElement.spread(ends, high - bottom);
      for (const node of [this.cross, this.ring, this.crossName]) put(node, { visibility: crossed ? "visible" : "hidden" });
      if (crossed) {
        const x = px(crossed[0]), y = py(crossed[1]), late = x > wide - 120;
        put(this.cross, { x1: x, x2: x, y1: y + 8, y2: high - bottom });
        put(this.ring, { cx: x, cy: y });
        put(this.crossName, { x: x + (late ? -6 : 6), y: high - bottom - 30, "text-anchor": late ? "end" : "start" });
      }
      put(this.svg, { viewBox: `0 0 ${wide} ${high}`, height: high, "aria-label": Chart.words(runs, axis, stamp, crossed) });
      this.size = [wide, high];
    }

    static words(runs, axis, stamp, crossed) {
      const lines = runs.filter(({ points }) => points.length).map(({ kind, letter, points }) =>
        `${letter}, ${KINDS[kind].name}, from ${percent(points[0][2])} to ${percent(points.at(-1)[2])}`);
      const cross = crossed ? ` The network from scratch passes the grown one after ${spent(crossed[0], axis)}.` : "";
      return `Validation accuracy over ${axis === "work" ? "work" : "updates"}${stamp ? `, ${stamp}` : ""}: ${lines.join("; ")}.${cross}`;
    }

    /* The chart as a file of its own: its colors as they are now, a line for each network, and then the settings. */
    picture(runs, settings) {
      const copy = this.svg.cloneNode(true), [wide, high] = this.size, style = getComputedStyle(this.svg);
      const inside = [...copy.querySelectorAll("*")];
      [...this.svg.querySelectorAll("*")].forEach((node, i) => {
        const seen = getComputedStyle(node);
        inside[i].removeAttribute("class");
        inside[i].setAttribute("style", STYLES.map((name) => `${name}: ${seen.getPropertyValue(name)}`).join("; "));
      });
      const ink = style.getPropertyValue("color"), card = getComputedStyle(this.svg.closest(".n2n-live")).backgroundColor;
      const words = (y, text) => make("text", { x: 40, y, style: `fill: ${ink}; font-size: 13px` }, text);
      const rows = runs.flatMap(({ kind, letter, points, sizes }, i) => {
        const y = high + 22 + 20 * i, stroke = getComputedStyle(this.curves[i].path);
        return [
          make("path", { d: `M8 ${y - 4}h24`, style: `stroke: ${stroke.stroke}; stroke-width: 2; stroke-dasharray: ${stroke.strokeDasharray}` }),
          words(y, `${letter} ${KINDS[kind].name}, ${sizes.join("-")}: ${percent(points.at(-1)[2])}`),
        ];
      });
      const below = high + 22 + 20 * runs.length, tall = below + 20 * settings.length;
      const broad = Math.max(wide, 460);
      copy.prepend(make("rect", { width: broad, height: tall, style: `fill: ${card}` }));
      copy.append(...rows, ...settings.map((text, i) => words(below + 8 + 20 * i, text)));
      for (const name of ["class", "role"]) copy.removeAttribute(name);
      put(copy, { viewBox: `0 0 ${broad} ${tall}`, width: broad, height: tall, style: `font-family: ${style.getPropertyValue("font-family")}` });
      return new XMLSerializer().serializeToString(copy);
    }
  }

  Object.assign(Chart, { look, spent });
  return Chart;
})();
