/* <net2net-race study='{"name", "axes", "measures", "arms"}' axis="updates" measure="val_accuracy" without="[]" at="1">

   Recorded runs, played: every arm of a study is a line, and time goes on as its runs were measured. helpers/race.py
   writes the element with the medians and ranges over the seeds, and is its other face: what is said here, `Race.words`
   says there. Nothing is interpolated in what is said: the value of an arm is the last one measured. */

{
  const { range } = Net2Net;
  const { make, put, say } = Net2NetElement;

  const LAP = 10;              // seconds that the whole takes to play
  const STEP = 0.8;            // seconds between two pictures where no motion is wanted
  const HIGH = 320, EDGE = { left: 46, right: 30, top: 12, bottom: 38 };
  const LEAST = 1e-4;          // the smallest loss that the axis tells from zero
  const NAMED = 3;             // leaders that are named, and places that are told
  const AXES = { updates: "Updates", seconds: "Seconds", total: "Total seconds" };
  const MEASURES = { val_accuracy: "Validation accuracy", val_loss: "Validation loss" };
  const LEVELS = {
    accuracy: [0.5, 0.9, 0.99, 0.1, 0.8, 0.95, 0.98, 0.999, 0.7, 0.97, 0.3, 0.6, 0.96, 0.94, 0.92, 0.85, 0.2, 0.4],
    loss: [1, 0.1, 0.01, 10, 0.001, 0.3, 3, 0.03, 0.5, 0.2, 2, 5, 0.05, 0.02, 0.07, 0.15, 0.7, 0.005, 0.002],
  };

  const list = (words) => (words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);

  class Race extends Net2NetElement {
    playing = false;
    calm = matchMedia("(prefers-reduced-motion: reduce)");

    static title = "Play the recorded runs";
    static defaults = { study: null, axis: "updates", measure: "val_accuracy", without: [], at: 1 };

    settle(state) {
      const study = Array.isArray(state.study?.arms) ? state.study : { axes: [], arms: [] };
      const at = Number.isFinite(state.at) ? Math.min(Math.max(state.at, 0), 1) : 1;
      const names = study.arms.map(({ arm }) => arm);
      return {
        study: state.study,
        axis: study.axes.includes(state.axis) ? state.axis : "updates",
        measure: state.measure in MEASURES ? state.measure : "val_accuracy",
        without: Array.isArray(state.without) ? state.without.filter((arm) => names.includes(arm)) : [],
        at,
      };
    }

    // -------------------------------------------------------------- what the runs say

    get arms() { return this.state.study?.arms ?? []; }

    get shown() { return this.arms.filter(({ arm }) => !this.state.without.includes(arm)); }

    get accuracy() { return this.state.measure.endsWith("accuracy"); }

    /* A teacher has stopped before its students begin: a level for them, but where its seconds count too. */
    still({ arm }) { return arm === "teacher" && this.state.axis !== "total"; }

    /* Places on the axis of an arm, and median, least and greatest value there. */
    points(run) {
      const { axis, measure } = this.state, [middle, low, high] = run[measure];
      const all = range(middle.length).map((i) => ({
        x: run[axis][i], middle: middle[i], low: low?.[i] ?? middle[i], high: high?.[i] ?? middle[i],
      })).filter((point) => point.middle !== null);
      return this.still(run) && all.length ? [{ ...all.at(-1), x: 0 }] : all;
    }

    /* Where the axis ends. */
    get most() { return Math.max(...this.arms.filter((run) => !this.still(run)).flatMap((run) => run[this.state.axis]), 1e-9); }

    /* The axis is stretched near zero, and time runs with it: the beginning is where most happens. */
    get time() { return this.most * this.state.at ** 2; }

    /* What was measured last, by now. */
    last(run) { return this.points(run).findLast(({ x }) => x <= this.time); }

    /* The arms that are shown and have begun, best first. */
    get standing() {
      const sign = this.accuracy ? -1 : 1;
      return this.shown.filter((run) => !this.still(run)).map((run) => ({ arm: run.arm, value: this.last(run)?.middle }))
        .filter(({ value }) => value !== undefined).sort((a, b) => sign * (a.value - b.value));
    }

    // -------------------------------------------------------------- words

    written(value) { return this.accuracy ? `${(100 * value).toFixed(2)} %` : value.toFixed(4); }

    moment() {
      const { axis } = this.state, digits = axis === "updates" ? 0 : 1, number = (Math.floor(10 ** digits * this.time + 0.5) / 10 ** digits)
        .toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
      return `${number} ${axis === "updates" ? "updates" : "s"}`;
    }

    seeds() {
      const counts = this.arms.map(({ seeds }) => seeds), least = Math.min(...counts), most = Math.max(...counts);
      return most === 1 ? "1 seed" : least === most ? `${most} seeds` : `${least} to ${most} seeds`;
    }

    describe() {
      if (!this.arms.length) return "No results are recorded for this study.";
      if (!this.shown.length) return "No arm is shown.";
      const { standing } = this;
      if (!standing.length) return "None of the arms shown has been measured yet.";
      const best = standing[0].value, leaders = standing.filter(({ value }) => value === best).map(({ arm }) => arm);
      const names = leaders.length > NAMED ? [...leaders.slice(0, NAMED - 1), `${leaders.length - NAMED + 1} others`] : leaders;
      const rest = standing.slice(leaders.length), told = rest.slice(0, NAMED - 1), end = rest.slice(NAMED - 1).at(-1);
      const tell = ({ arm, value }) => `${arm} ${this.written(value)}`;
      const begin = this.playing ? "Now" : this.state.at === 0 ? "At the start" : `After ${this.moment()}`;
      return `${begin} ${list(names)} ${leaders.length > 1 ? "lead" : "leads"} with ${this.written(best)}`
        + `${told.length ? `, then ${told.map(tell).join(", ")}` : ""}${end ? `; last is ${tell(end)}` : ""}. `
        + `${this.seeds() === "1 seed" ? "1 seed: a small lead may be luck." : `Medians of ${this.seeds()}.`}`;
    }

    /* While it plays the words change in sight only; they are spoken when it stands. */
    announce(text, quiet) {
      put(this.says, { "aria-live": this.playing ? "off" : "polite" });
      super.announce(text, quiet || this.playing);
    }

    // -------------------------------------------------------------- playing

    play() {
      if (this.state.at === 1) this.set({ at: 0 });
      this.playing = true;
      this.clock = undefined;
      this.waited = 0;
      this.go();
    }

    go() {
      if (!this.playing || !this.isConnected) return;
      this.frame = requestAnimationFrame((now) => {
        // A page that is not seen gets no frames; when it comes back, time goes on from where it stood.
        this.waited += Math.min((now - (this.clock ?? now)) / 1000, 0.1);
        this.clock = now;
        if (!this.calm.matches || this.waited >= STEP) {
          const at = Math.min(1, this.state.at + this.waited / LAP);
          this.waited = 0;
          this.set({ at });
          if (at === 1) this.pause();
        }
        this.go();
      });
    }

    pause() {
      if (!this.playing) return;
      this.playing = false;
      cancelAnimationFrame(this.frame);
      this.render();
      this.announce(this.describe());
      this.dispatchEvent(new CustomEvent("net2net-moved", { detail: { at: this.state.at }, bubbles: true }));
    }

    restart() {
      this.pause();
      super.restart();
    }

    disconnectedCallback() {
      this.pause();
      super.disconnectedCallback();
    }

    // -------------------------------------------------------------- building

    build(live) {
      const moved = (changes) => this.set(changes, { byHand: true });
      this.axes = this.choice("Horizontal axis", AXES, (axis) => moved({ axis }));
      this.measures = this.choice("Vertical axis", MEASURES, (measure) => moved({ measure }));
      this.button_ = this.button("Play", () => (this.playing ? this.pause() : this.play()));
      this.button_.classList.add("n2n-go");
      this.again = this.button("Start over", () => this.restart());
      this.time_ = this.slider("Time", { min: 0, max: 1, step: 0.005 }, (at) => { this.pause(); moved({ at }); }, "n2n-main");

      const clip = `${this.id_}-clip`;
      this.window_ = make("rect", { x: 0, y: 0, height: HIGH });
      this.plot = make("svg", { class: "n2n-plot", role: "img", height: HIGH });
      this.frameLine = make("path", { class: "n2n-axis", fill: "none" });
      this.grid = make("g");
      this.lines = make("g", { "clip-path": `url(#${clip})` });
      this.heads = make("g");
      this.now = make("line", { class: "n2n-now", y1: EDGE.top, y2: HIGH - EDGE.bottom });
      this.axisName = make("text", { class: "n2n-tick", "text-anchor": "end" });
      this.plot.append(make("clipPath", { id: clip }, this.window_), this.grid, this.frameLine, this.axisName, this.now, this.lines, this.heads);

      this.legend = make("legend");
      this.rows_ = make("div");
      live.append(
        make("p", { class: "n2n-race-ask" }, "Predict, then press Play: who leads early on, and who at the end? And who, when the teacher’s seconds count too?"),
        make("div", { class: "n2n-race-looks" }, this.axes.box, this.measures.box),
        this.plot,
        make("div", { class: "n2n-race-time" }, make("div", { class: "n2n-buttons" }, this.button_, this.again), this.time_.box),
        make("fieldset", { class: "n2n-choice n2n-rows" }, this.legend, this.rows_),
      );
    }

    /* A line and a row for each arm, made once for a study. */
    buildArms() {
      if (this.built === this.state.study) return;
      this.built = this.state.study;
      this.curves = this.arms.map((run, i) => {
        const letter = String.fromCharCode(65 + (i % 26)), color = `var(--n2n-u${run.color})`;
        const stroke = `stroke: ${color}${run.dash ? `; stroke-dasharray: ${run.dash}` : ""}`;
        const input = make("input", { type: "checkbox" }), score = make("b", { class: "n2n-score" }), place = make("small");
        input.addEventListener("change", () => {
          const without = this.state.without.filter((arm) => arm !== run.arm);
          this.set({ without: input.checked ? without : [...without, run.arm] }, { byHand: true });
        });
        const swatch = make("svg", { width: 24, height: 16, "aria-hidden": "true" }, make("path", { d: "M0 8h24", fill: "none", class: "n2n-curve", style: stroke }));
        const row = make("div", { class: "n2n-row" }, make("label", {}, input, make("span", {}, swatch, make("b", {}, `${letter} ${run.arm}`), score, place)));
        return {
          run, color, input, score, place, row,
          band: make("path", { class: "n2n-band", style: `fill: ${color}` }),
          line: make("path", { class: "n2n-curve", fill: "none", style: stroke }),
          marks: make("path", { class: "n2n-marks", style: `stroke: ${color}` }),
          text: make("text", { class: "n2n-name" }, letter),
        };
      });
      this.rows_.replaceChildren(...this.curves.map(({ row }) => row));
      this.lines.replaceChildren(...this.curves.map(({ band }) => band), ...this.curves.flatMap(({ line, marks }) => [line, marks]));
      this.heads.replaceChildren(...this.curves.map(({ text }) => text));
    }

    // -------------------------------------------------------------- drawing

    render() {
      if (!this.legend) return;
      this.buildArms();
      this.renderControls();
      this.renderPlot();
      this.renderRows();
    }

    renderControls() {
      const { study, axis, measure, at } = this.state, none = !this.arms.length;
      for (const [value, input] of Object.entries(this.axes.inputs)) {
        input.checked = value === axis;
        input.disabled = none || !study.axes.includes(value);
      }
      for (const [value, input] of Object.entries(this.measures.inputs)) {
        input.checked = value === measure;
        input.disabled = none;
      }
      say(this.button_, this.playing ? "Pause" : "Play");
      for (const control of [this.button_, this.again, this.time_.input]) control.disabled = none;
      this.slide(this.time_, {}, at, none ? "" : this.moment());
    }

    /* Equal distances divide errors, or losses, by equal factors. */
    scale(value) { return this.accuracy ? -Math.log(1.001 - value) : Math.log(Math.max(value, LEAST)); }

    renderPlot() {
      const wide = this.widthOf(this.plot) || 700, { left, right, top, bottom } = EDGE, { without } = this.state, { most, time } = this;
      const px = (x) => left + Math.sqrt(x / most) * (wide - left - right);
      const drawn = this.curves.map((curve) => ({ ...curve, points: without.includes(curve.run.arm) ? [] : this.points(curve.run) }));
      const values = drawn.flatMap(({ points }) => points.flatMap(({ low, high }) => [this.scale(low), this.scale(high)]));
      const low = values.length ? Math.min(...values) : 0, high = Math.max(...values, low + 0.1);
      const py = (value) => top + 6 + ((high - this.scale(value)) / (high - low)) * (HIGH - top - bottom - 12);
      const cut = (number) => number.toFixed(1);

      this.renderGrid(wide, px, py, low, high);
      put(this.window_, { width: px(time) + 3 });
      put(this.now, { x1: px(time), x2: px(time), visibility: this.state.at < 1 && this.arms.length ? "visible" : "hidden" });
      const heads = [];
      for (const { run, color, points, band, line, marks, text } of drawn) {
        // A teacher that stands still is a level for the others.
        const along = this.still(run) && points.length ? [...points, { ...points[0], x: most }] : points;
        const path = (ps, value) => ps.map((point) => `${cut(px(point.x))} ${cut(py(point[value]))}`).join("L");
        put(line, { d: along.length ? `M${path(along, "middle")}` : "" });
        put(marks, { d: this.still(run) ? "" : points.map((p) => `M${cut(px(p.x))} ${cut(py(p.middle))}h0`).join("") });
        put(band, { d: run.seeds > 1 && along.length ? `M${path(along, "low")}L${path([...along].reverse(), "high")}Z` : "" });
        const i = along.findLastIndex(({ x }) => x <= time);
        put(text, { visibility: i < 0 ? "hidden" : "visible" });
        if (i < 0) continue;
        // The head of a line runs straight from one point measured to the next.
        const from = along[i], to = along[i + 1] ?? from, part = to === from ? 0 : (px(time) - px(from.x)) / (px(to.x) - px(from.x));
        const x = px(from.x) + part * (px(to.x) - px(from.x)), y = py(from.middle) + part * (py(to.middle) - py(from.middle));
        const inner = x < px(time) - 1;
        heads.push({ text, color, x: x + (inner ? -4 : 6), y: y + (inner ? -9 : 4) });
      }
      Net2NetElement.spread(heads, HIGH - bottom);
      put(this.plot, { viewBox: `0 0 ${wide} ${HIGH}`, "aria-label": this.picture() });
    }

    renderGrid(wide, px, py, low, high) {
      const { left, right, top, bottom } = EDGE, { axis } = this.state, { most } = this;
      const key = JSON.stringify([wide, low, high, most, axis, this.accuracy]);
      if (this.gridded === key) return;
      this.gridded = key;
      const levels = [], ticks = [];
      for (const value of LEVELS[this.accuracy ? "accuracy" : "loss"]) {
        const y = py(value), inside = this.scale(value) >= low - 1e-9 && this.scale(value) <= high + 1e-9;
        if (inside && levels.every((other) => Math.abs(other.y - y) >= 22)) levels.push({ value, y });
      }
      const decades = range(8).map((i) => 10 ** (Math.floor(Math.log10(most)) - i)).filter((unit) => axis !== "updates" || unit >= 1);
      for (const x of this.arms.length ? [0, ...decades.flatMap((unit) => [5 * unit, 2 * unit, unit])] : []) {
        if (x <= most && ticks.every((other) => Math.abs(px(other) - px(x)) >= 48)) ticks.push(x);
      }
      this.grid.replaceChildren(
        ...levels.flatMap(({ value, y }) => [
          make("line", { class: "n2n-axis", x1: left, x2: wide - right, y1: y, y2: y }),
          make("text", { class: "n2n-tick", "text-anchor": "end", x: left - 7, y: y + 4 }, this.accuracy ? `${Number((100 * value).toFixed(1))} %` : value),
        ]),
        ...ticks.map((x) => make("text", { class: "n2n-tick", "text-anchor": "middle", x: px(x), y: HIGH - bottom + 16 }, Number(x.toPrecision(1)).toLocaleString("en-US"))),
      );
      put(this.frameLine, { d: `M${left} ${top}V${HIGH - bottom}H${wide - right}` });
      say(this.axisName, `${{ updates: "updates", seconds: "seconds of training", total: "total seconds" }[axis]}, stretched near 0`);
      put(this.axisName, { x: wide - right, y: HIGH - 4 });
    }

    renderRows() {
      const { standing } = this, { without } = this.state;
      for (const { run, input, score, place } of this.curves) {
        const value = this.last(run), here = standing.find(({ arm }) => arm === run.arm);
        const ahead = here ? standing.filter((other) => (this.accuracy ? other.value > here.value : other.value < here.value)).length : 0;
        input.checked = !without.includes(run.arm);
        say(score, value ? this.written(value.middle) : "");
        const from = value && run.seeds > 1 ? ` · ${this.written(value.low).replace(" %", "")} to ${this.written(value.high)}` : "";
        say(place, !input.checked ? "not shown" : this.still(run) ? `stopped here${from}` : !value ? "not begun" : `place ${ahead + 1}${from}`);
      }
      say(this.legend, !this.arms.length ? "" : this.seeds() === "1 seed" ? "Arms, 1 seed each" : `Arms: median and range of ${this.seeds()}`);
    }

    picture() {
      const over = { updates: "updates", seconds: "seconds of training", total: "seconds of training with the teacher's" }[this.state.axis];
      return `${MEASURES[this.state.measure]} over ${over}, a line for each arm. ${this.playing ? "" : this.describe()}`;
    }
  }

  if (!customElements.get("net2net-race")) customElements.define("net2net-race", Race);
}
