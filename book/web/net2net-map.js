/* <net2net-map study='{"budgets", "fractions", "cells", "rivals", "teacher"}' rival="scratch" budget="8" fraction="0.5">

   Where growing pays: a cell for each budget and each moment of growth, beside a rival that the reader chooses. A cell
   that is touched shows its interval and its curves. helpers/growth_map.py writes the element with the means and
   intervals over the seeds, and is its other face: what is said here, `GrowthMap.words` says there. */

{
  const { range } = Net2Net;
  const { make, put, say } = Net2NetElement;

  const HIGH = 310, LEFT = 38, TOP = 38, BOTTOM = 40;  // of the curves
  const NARROW = 480;          // less room than this, and names have two lines
  const RIVALS = {
    scratch: "the same network from scratch",
    "continued teacher": "the continued teacher",
    frontier: "the best size for the budget",
  };
  const LINES = {  // short names, for the ends of lines; colors and dashes as in helpers/show/plots
    "continued teacher": { name: "continued teacher", color: "var(--n2n-u4)", dash: "" },
    scratch: { name: "from scratch", color: "var(--n2n-u5)", dash: "6 3" },
    frontier: { name: "best size", color: "var(--n2n-u2)", dash: "9 3 2 3" },
  };
  const FRACTIONS = { 0.125: "an eighth", 0.25: "a quarter", 0.5: "half", 0.7: "seven tenths" };
  const VERDICTS = {
    wins: "Growing wins.",
    level: "The two are level: the interval holds 0.",
    loses: "Growing loses.",
    open: "One seed decides nothing.",
  };
  const SHORT = { wins: "growing wins", level: "level", loses: "growing loses", open: "1 seed only" };
  const PAINTS = { wins: "var(--n2n-u0)", loses: "var(--n2n-u1)", level: "var(--n2n-u7)", open: "var(--n2n-u7)" };
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -99], End: [0, 99] };

  const three = (value) => Math.abs(value).toFixed(3);
  const signed = (value) => `${value < 0 ? "−" : value > 0 ? "+" : ""}${three(value)}`;
  const part = (fraction) => FRACTIONS[fraction] ?? String(fraction);
  const within = (value, low, high) => Math.min(Math.max(value, low), high);

  /* Round numbers from low to high, about as many as wanted. */
  const rounds = (low, high, wanted) => {
    const rough = (high - low) / wanted, unit = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= rough);
    return range(Math.floor(high / step) - Math.ceil(low / step) + 1).map((i) => Number(((Math.ceil(low / step) + i) * step).toPrecision(3)));
  };

  class GrowthMap extends Net2NetElement {
    static title = "Where growing pays";
    static defaults = { study: null, rival: "scratch", budget: 0, fraction: 0 };

    settle(state) {
      const { budgets, fractions } = state.study?.cells?.length ? state.study : { budgets: [], fractions: [] };
      return {
        study: state.study,
        rival: state.rival in RIVALS ? state.rival : "scratch",
        budget: budgets.includes(state.budget) ? state.budget : budgets[0] ?? 0,
        fraction: fractions.includes(state.fraction) ? state.fraction : fractions[0] ?? 0,
      };
    }

    // -------------------------------------------------------------- what the studies say

    get cells() { return this.state.study?.cells ?? []; }

    get cell() { return this.cells.find(({ budget, fraction }) => budget === this.state.budget && fraction === this.state.fraction); }

    // -------------------------------------------------------------- words

    describe() {
      if (!this.cell) return "No results are recorded for this map.";
      const { rival, budget, fraction } = this.state, { mean, low, high, verdict } = this.cell[rival];
      const [near, far] = [low, high].map(Math.abs).sort((a, b) => a - b).map(three);
      const reach = verdict === "level" ? `${three(low)} below to ${three(high)} above` : `${near} to ${far} ${verdict === "wins" ? "below" : "above"}`;
      const seeds = verdict === "open" ? "1 seed, so no interval" : `${reach}, ${this.cell.seeds} seeds`;
      const place = mean ? `${three(mean)} ${mean < 0 ? "below" : "above"}` : "level with";
      return `${budget} characters a weight, grown after ${part(fraction)} of that: `
        + `the test loss ends ${place} ${RIVALS[rival]} (${seeds}). ${VERDICTS[verdict]}`;
    }

    count() {
      const verdicts = this.cells.map((cell) => cell[this.state.rival].verdict), of = (one) => verdicts.filter((each) => each === one).length;
      if (!verdicts.length) return "";
      if (of("open")) return "Cells of one seed decide nothing.";
      return `Growing wins in ${of("wins")} of ${verdicts.length} cells, loses in ${of("loses")}.`;
    }

    // -------------------------------------------------------------- building

    build(live) {
      const svg = (height, name) => make("svg", { class: `n2n-plot ${name}`, role: "img", height });
      this.rivals = this.choice("Growing, compared with", RIVALS, (rival) => this.set({ rival }, { byHand: true }));
      this.table = make("div", { class: "n2n-map-cells", role: "group" });
      this.table.addEventListener("keydown", (event) => this.step(event));
      this.counted = make("span", { class: "n2n-label" });
      this.reading = make("span", { class: "n2n-gap" });
      this.verdict = make("span", { class: "n2n-verdict" });
      this.span = svg(96, "n2n-map-span");
      this.plot = svg(HIGH, "n2n-map-plot");
      this.again = this.button("Start over", () => this.restart());
      live.append(
        make("p", {}, "Each cell compares two networks of the same cost; one of them grew. Touch a cell."),
        this.rivals.box,
        make("div", { class: "n2n-map-views" },
          make("div", {}, this.table, make("div", { class: "n2n-map-foot" }, this.counted, this.again)),
          make("div", { class: "n2n-map-side" }, make("div", { class: "n2n-map-reading" }, this.reading, this.verdict), this.span, this.says)),
        this.plot,
        make("p", { class: "n2n-map-note" }, "Dots are the ends of runs. Dotted: the teacher at its constant rate, then the network that grew from it."),
      );
    }

    /* The cells, made once for a study. */
    buildCells() {
      if (this.built === this.state.study) return;
      this.built = this.state.study;
      const { budgets, fractions } = this.cells.length ? this.state.study : { budgets: [], fractions: [] };
      this.keys = this.cells.map(({ budget, fraction }) => {
        const number = make("b"), word = make("small"), node = this.button("", () => this.set({ budget, fraction }, { byHand: true }));
        node.append(number, word);
        return { node, number, word };
      });
      const head = (text, kind) => make("span", { class: `n2n-map-${kind}`, "aria-hidden": "true" }, text);
      put(this.table, { style: `--n2n-columns: ${budgets.length}` });
      this.table.replaceChildren(
        head("Grown after", "title"), head("Budget, in characters a weight", "title n2n-map-over"), ...budgets.map((budget) => head(budget, "column")),
        ...fractions.flatMap((fraction, i) => [
          head(part(fraction), "row"), ...this.keys.slice(i * budgets.length, (i + 1) * budgets.length).map(({ node }) => node)]),
      );
    }

    /* Arrow keys move over the map as over radio buttons. */
    step(event) {
      const move = STEPS[event.key];
      if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const { budgets, fractions } = this.state.study;
      const next = (all, value, by) => all[within(all.indexOf(value) + by, 0, all.length - 1)];
      this.set({ fraction: next(fractions, this.state.fraction, move[0]), budget: next(budgets, this.state.budget, move[1]) }, { byHand: true });
      this.keys[this.cells.indexOf(this.cell)].node.focus();
    }

    // -------------------------------------------------------------- drawing

    render() {
      if (!this.plot) return;
      this.buildCells();
      for (const [value, input] of Object.entries(this.rivals.inputs)) {
        input.checked = value === this.state.rival;
        input.disabled = !this.cell;
      }
      this.again.disabled = !this.cell;
      say(this.counted, this.count());
      put(this.table, { "aria-label": `Test loss, less that of ${RIVALS[this.state.rival]}. ${this.count()}` });
      if (!this.cell) {
        for (const view of [this.span, this.plot]) put(view, { "aria-label": this.describe() });
        return;
      }
      this.renderCells();
      this.renderSpan();
      this.renderPlot();
    }

    renderCells() {
      const { rival } = this.state, most = Math.max(...this.cells.map((cell) => Math.abs(cell[rival].mean))) || 1;
      this.cells.forEach((cell, i) => {
        const { node, number, word } = this.keys[i], { mean, verdict } = cell[rival], chosen = cell === this.cell;
        const depth = verdict === "wins" || verdict === "loses" ? Math.round(16 + (30 * Math.abs(mean)) / most) : 10;
        say(number, signed(mean));
        say(word, verdict === "open" ? "1 seed" : verdict);
        put(node, {
          style: `background: color-mix(in srgb, ${PAINTS[verdict]} ${depth}%, var(--n2n-card))`,
          "aria-label": `${number.textContent} ${word.textContent}: ${cell.budget} characters a weight, grown after ${part(cell.fraction)} of that`,
          "aria-pressed": chosen,
          tabindex: chosen ? 0 : -1,
        });
      });
    }

    /* The interval beside zero; all cells and rivals on one scale. */
    renderSpan() {
      const wide = this.widthOf(this.span) || 320, { mean, low, high, verdict } = this.cell[this.state.rival], y = 36;
      const ends = this.cells.flatMap((cell) => Object.keys(RIVALS).flatMap((rival) => Object.values(cell[rival]).filter(Number.isFinite)));
      const most = Math.max(...ends.map(Math.abs)) || 1, px = (value) => wide / 2 + (value / most) * (wide / 2 - 8);
      const text = (x, y, anchor, words, name = "n2n-tick") => make("text", { class: name, x, y, "text-anchor": anchor }, words);
      const paint = `stroke: ${PAINTS[verdict]}`;
      say(this.reading, signed(mean));
      say(this.verdict, SHORT[verdict]);
      put(this.verdict, { class: `n2n-verdict n2n-map-${verdict}` });
      this.span.replaceChildren(
        text(0, 12, "start", "← growing better"), text(wide, 12, "end", "rival better →"),
        make("path", { class: "n2n-axis", d: `M0 60H${wide}` }),
        ...rounds(-most, most, 5).flatMap((value) => [
          make("path", { class: "n2n-axis", d: `M${px(value)} 57v6` }),
          text(px(value), 78, "middle", value ? signed(value).replace(/0+$/, "") : "0")]),
        make("path", { class: "n2n-map-zero", d: `M${px(0)} 20V60` }),
        make("circle", { style: `fill: ${PAINTS[verdict]}`, cx: px(mean), cy: y, r: 5.5 }),
        ...(low === null ? [] : [make("path", { class: "n2n-map-bar", style: paint, d: `M${px(low)} ${y}H${px(high)}M${px(low)} ${y - 9}v18M${px(high)} ${y - 9}v18` })]),
        text(wide / 2, 94, "middle", "difference of the test loss"),
      );
      put(this.span, { viewBox: `0 0 ${wide} 96`, "aria-label": `The difference and its interval beside zero. ${this.describe()}` });
    }

    renderPlot() {
      const { study, rival, budget, fraction } = this.state, { budgets, rivals, teacher } = study, { cell } = this;
      const wide = this.widthOf(this.plot) || 700, narrow = wide < NARROW, right = narrow ? 82 : 142, at = fraction * budget * (1 + 1e-9);
      const first = Math.min(budgets[0], ...teacher.map(([x]) => x)), last = budgets.at(-1);
      const px = (x) => LEFT + (Math.log(x / first) / (Math.log(last / first) || 1)) * (wide - LEFT - right);
      const losses = [...Object.values(rivals).flat(), ...teacher.map(([, loss]) => loss), ...this.cells.map(({ loss }) => loss)];
      const low = Math.min(...losses), high = Math.max(...losses, 1.001 * low);
      const py = (loss) => TOP + (Math.log(high / loss) / Math.log(high / low)) * (HIGH - TOP - BOTTOM - 8);
      const path = (points) => (points.length ? `M${points.map(([x, loss]) => `${px(x).toFixed(1)} ${py(loss).toFixed(1)}`).join("L")}` : "");
      const text = (x, y, words, more = {}) => make("text", { class: "n2n-tick", x, y, ...more }, words);
      const floor = HIGH - BOTTOM, x = px(budget), grown = "var(--n2n-u0)", way = teacher.filter(([point]) => point <= at), start = way.at(-1);
      const shown = Object.keys(LINES).filter((name) => name !== "frontier" || rival === "frontier");
      const line = (name) => {
        const { color, dash } = LINES[name], points = budgets.map((b, i) => [b, rivals[name][i]]);
        return make("g", { class: name === rival ? "n2n-map-rival" : "", style: `stroke: ${color}; fill: ${color}` },
          make("path", { class: "n2n-curve", fill: "none", d: path(points), style: dash && `stroke-dasharray: ${dash}` }),
          ...points.map(([b, loss]) => make("circle", { cx: px(b), cy: py(loss), r: 3 })));
      };
      const names = shown.map((name) => ({ name: LINES[name].name, color: LINES[name].color, y: py(rivals[name].at(-1)) + 4, x: px(last) + 9 }));
      for (const name of names) {
        const lines = narrow ? name.name.split(" ") : [name.name];
        name.text = make("text", { class: "n2n-name" }, ...lines.map((words, i) => make("tspan", { x: name.x, dy: i ? 13 : 7 - 7 * lines.length }, words)));
      }
      Net2NetElement.spread(names, floor - (narrow ? 6 : 0), narrow ? 27 : 15);
      /* A moment of the grown network, told above where no curve is. */
      const moment = (place, words, side) => [
        make("path", { class: "n2n-map-zero", d: `M${px(place)} ${TOP - 20}V${floor}` }),
        text(px(place) + 5 * side, TOP - 10, words, { class: "n2n-name", "text-anchor": side < 0 ? "end" : "start", style: `fill: ${grown}` })];

      this.plot.replaceChildren(
        ...rounds(low, high, 8).flatMap((loss) => [
          make("path", { class: "n2n-axis", d: `M${LEFT} ${py(loss)}H${wide - right}` }), text(LEFT - 7, py(loss) + 4, loss, { "text-anchor": "end" })]),
        make("path", { class: "n2n-axis", fill: "none", d: `M${LEFT} ${TOP - 6}V${floor}H${wide - right}` }),
        ...moment(budget, "grown", 1), ...(start ? moment(start[0], "grows here", px(start[0]) < 90 ? 1 : -1) : []),
        ...[...range(9).map((i) => budgets[0] / 2 ** (9 - i)).filter((b) => b >= first), ...budgets].map((b) => text(px(b), floor + 16, b, { "text-anchor": "middle", ...(b === budget ? { class: "n2n-name" } : {}) })),
        text(0, 12, "test loss"), text(wide - right, HIGH - 5, "cost, in characters a weight", { "text-anchor": "end" }),
        make("path", { class: "n2n-map-gap", style: `stroke: ${PAINTS[cell[rival].verdict]}`, d: path([[budget, cell.loss], [budget, rivals[rival][budgets.indexOf(budget)]]]) }),
        make("path", { class: "n2n-curve n2n-map-way", fill: "none", style: `stroke: ${LINES["continued teacher"].color}`, d: path(way) }),
        ...shown.map(line),
        ...(start ? [
          make("path", { class: "n2n-curve n2n-map-way", fill: "none", style: `stroke: ${grown}`, d: path([start, [budget, cell.loss]]) }),
          make("circle", { class: "n2n-map-start", style: `stroke: ${grown}`, cx: px(start[0]), cy: py(start[1]), r: 5 })] : []),
        make("circle", { class: "n2n-map-dot", style: `fill: ${grown}`, cx: x, cy: py(cell.loss), r: 6 }),
        ...names.map((name) => name.text),
      );
      put(this.plot, { viewBox: `0 0 ${wide} ${HIGH}`, "aria-label": this.picture() });
    }

    picture() {
      return "Test loss over the cost: the continued teacher, the large network from scratch, and the grown network at its budget, "
        + `${this.cell.loss.toFixed(3)}. ${this.describe()}`;
    }
  }

  if (!customElements.get("net2net-map")) customElements.define("net2net-map", GrowthMap);
}
