/* <net2net-race study='{"name", "axes", "arms", "ends"}' axis="updates" measure="val_accuracy" guess="" at="0">

   A reader guesses which arm of a study ends highest; then its recorded runs are played, and time goes on as they were
   measured. helpers/show/race.py writes the element with names and looks, medians and ranges over the seeds, and is its other
   face: what is said here, `Race.words` says there. Nothing is interpolated in what is said: the value of an arm is the
   last one measured. */

{
  const { range } = Net2Net;
  const { make, put, say } = Net2NetElement;

  const LAP = 10;              // seconds that the whole takes to play
  const EDGE = { left: 44, top: 12, bottom: 38 };
  const STEM = 14;             // from the end of a line to its label
  const LINE = 14;             // from one line of a label to the next
  const LEAST = 1e-4;          // the smallest loss that the axis tells from zero
  const NAMED = 3;             // leaders that are named, and places that are told
  const AXES = { updates: "Updates", seconds: "Seconds", total: "Total seconds" };
  const MEASURES = { val_accuracy: "Validation accuracy", val_loss: "Validation loss" };
  const LEVELS = {
    accuracy: [0.5, 0.9, 0.99, 0.1, 0.8, 0.95, 0.98, 0.999, 0.7, 0.97, 0.3, 0.6, 0.96, 0.94, 0.92, 0.85, 0.2, 0.4],
    loss: [1, 0.1, 0.01, 10, 0.001, 0.3, 3, 0.03, 0.5, 0.2, 2, 5, 0.05, 0.02, 0.07, 0.15, 0.7, 0.005, 0.002],
  };

  const list = (words) => {
    const few = words.length > NAMED ? [...words.slice(0, NAMED - 1), `${words.length - NAMED + 1} others`] : words;
    return few.length < 2 ? few.join() : `${few.slice(0, -1).join(", ")} and ${few.at(-1)}`;
  };
  const nameOf = ({ label }) => label.replaceAll("\n", " ");
  const quoted = (run) => `“${nameOf(run)}”`;
  const sum = (numbers) => numbers.reduce((all, number) => all + number, 0);

  class Race extends Net2NetElement {
    playing = false;
    calm = matchMedia("(prefers-reduced-motion: reduce)");

    static title = "Guess, and play the recorded runs";
    static defaults = { study: null, axis: "updates", measure: "val_accuracy", guess: "", at: 0 };

    settle(state) {
      const study = Array.isArray(state.study?.arms) ? state.study : { axes: [], arms: [] };
      return {
        study: state.study,
        axis: study.axes.includes(state.axis) ? state.axis : "updates",
        measure: state.measure in MEASURES ? state.measure : "val_accuracy",
        guess: study.arms.some(({ arm }) => arm === state.guess && arm !== "teacher") ? state.guess : "",
        at: Number.isFinite(state.at) ? Math.min(Math.max(state.at, 0), 1) : 0,
      };
    }

    // -------------------------------------------------------------- what the runs say

    get arms() { return this.state.study?.arms ?? []; }

    /* The arms that a reader can guess: all but the teacher, which stops where the others begin. */
    get rivals() { return this.arms.filter(({ arm }) => arm !== "teacher"); }

    get ends() { return this.state.study.ends[this.state.measure]; }

    get accuracy() { return this.state.measure.endsWith("accuracy"); }

    get most_() { return this.accuracy ? "highest" : "lowest"; }

    run(arm) { return this.arms.find((run) => run.arm === arm); }

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

    /* The arms that have begun, best first. */
    get standing() {
      const sign = this.accuracy ? -1 : 1, begun = this.state.at ? this.arms.filter((run) => !this.still(run)) : [];
      return begun.map((run) => ({ arm: run.arm, value: this.last(run)?.middle }))
        .filter(({ value }) => value !== undefined).sort((a, b) => sign * (a.value - b.value));
    }

    // -------------------------------------------------------------- words

    written(value) { return this.accuracy ? `${(100 * value).toFixed(2)} %` : value.toFixed(4); }

    called(arm) { return quoted(this.run(arm)); }

    time_() {
      const { axis } = this.state, digits = axis === "updates" ? 0 : 1, number = (Math.floor(10 ** digits * this.time + 0.5) / 10 ** digits)
        .toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
      return `${number} ${axis === "updates" ? "updates" : "s"}`;
    }

    describe() {
      if (!this.arms.length) return "No results are recorded for this study.";
      if (this.state.at === 0) return "Nothing has run yet.";
      if (!this.standing.length || !this.ends.best) return "None of these networks has been measured yet.";
      return `${this.state.at === 1 ? this.verdict() : this.moment()} ${this.notes()}`;
    }

    moment() {
      const { standing } = this, best = standing[0].value, leaders = standing.filter(({ value }) => value === best);
      const rest = standing.slice(leaders.length), told = rest.slice(0, NAMED - 1), end = rest.slice(NAMED - 1).at(-1);
      const tell = ({ arm, value }) => `${this.called(arm)} ${this.written(value)}`;
      return `${this.playing ? "Now" : `After ${this.time_()}`} ${list(leaders.map(({ arm }) => this.called(arm)))}`
        + ` ${leaders.length > 1 ? "lead" : "leads"} with ${this.written(best)}`
        + `${told.length ? `, then ${told.map(tell).join(", ")}` : ""}${end ? `; last is ${tell(end)}` : ""}.`;
    }

    /* What was guessed, and what ended best. */
    verdict() {
      const { guess } = this.state, { best, level } = this.ends, name = this.called(best);
      const endOf = (arm) => this.written(this.standing.find((one) => one.arm === arm).value), end = endOf(best);
      const equal = level.length ? `level with ${list(level.map((arm) => this.called(arm)))}` : "";
      if (level.includes(guess)) return `You guessed ${this.called(guess)}: it ended level with ${name}, which has the ${this.most_} median, ${end}.`;
      if (guess === best) return `You guessed ${name}, and it ended ${this.most_}, with ${end}${equal && `, but ${equal}`}.`;
      return `${guess && `You guessed ${this.called(guess)}, which ended with ${endOf(guess)}; `}${name} ended ${this.most_}, with ${end}${equal && `, ${equal}`}.`;
    }

    /* How sure that is, and what is not drawn. */
    notes() {
      const counts = this.arms.map(({ seeds }) => seeds), least = Math.min(...counts), most = Math.max(...counts);
      if (most === 1) return "1 seed: a small lead may be luck.";
      const level = this.state.at === 1 && this.ends.level.length ? "; level means that these seeds cannot tell them apart" : "";
      const seeds = `Medians of ${least === most ? most : `${least} to ${most}`} seeds${level}.`;
      const lost = this.arms.filter(({ collapsed }) => collapsed);
      const runs = lost.length > NAMED ? [`${sum(lost.map(({ collapsed }) => collapsed))} of ${sum(counts)} runs`]
        : lost.map((run) => `${run.collapsed} of ${run.seeds} runs of ${quoted(run)}`);
      return runs.length ? `${seeds} ${list(runs)} collapsed to guessing; the bands leave them out.` : seeds;
    }

    /* While it plays the words change in sight only; they are spoken when it stands. */
    announce(text, quiet) {
      put(this.says, { "aria-live": this.playing ? "off" : "polite" });
      super.announce(text, quiet || this.playing);
    }

    // -------------------------------------------------------------- playing

    /* A guess starts the race, or starts it again. */
    guess(arm) {
      this.pause();
      this.set({ guess: arm, at: 0 }, { byHand: true });
      this.play();
    }

    /* Where no motion is wanted, the end is shown at once. */
    play() {
      if (this.calm.matches) return this.set({ at: 1 }, { byHand: true });
      if (this.state.at === 1) this.set({ at: 0 });
      this.playing = true;
      this.clock = undefined;
      this.go();
    }

    go() {
      if (!this.playing || !this.isConnected) return;
      this.frame = requestAnimationFrame((now) => {
        // A page that is not seen gets no frames; when it comes back, time goes on from where it stood.
        const at = Math.min(1, this.state.at + Math.min((now - (this.clock ?? now)) / 1000, 0.1) / LAP);
        this.clock = now;
        this.set({ at });
        if (at === 1) this.pause();
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
      this.slider_ = this.slider("Time", { min: 0, max: 1, step: 0.005 }, (at) => { this.pause(); moved({ at }); }, "n2n-main");

      const clip = `${this.id_}-clip`, ask = `${this.id_}-ask`;
      this.ask = make("p", { class: "n2n-race-ask", id: ask });
      this.guesses = make("div", { class: "n2n-race-guesses", role: "group", "aria-labelledby": ask });
      this.window_ = make("rect", { x: 0, y: 0 });
      this.plot = make("svg", { class: "n2n-plot", role: "img" });
      this.frameLine = make("path", { class: "n2n-axis", fill: "none" });
      this.grid = make("g");
      this.lines = make("g", { "clip-path": `url(#${clip})` });
      this.heads = make("g");
      this.now = make("line", { class: "n2n-now", y1: EDGE.top });
      this.axisName = make("text", { class: "n2n-tick" });
      this.plot.append(make("clipPath", { id: clip }, this.window_), this.grid, this.frameLine, this.axisName, this.now, this.lines, this.heads);

      live.append(
        this.ask, this.guesses, this.plot, this.says,
        make("div", { class: "n2n-race-time" }, make("div", { class: "n2n-buttons" }, this.button_, this.again), this.slider_.box),
        make("div", { class: "n2n-race-looks" }, this.axes.box, this.measures.box),
      );
    }

    /* A line, a label and a guess for each arm, made once for a study. */
    buildArms() {
      if (this.built === this.state.study) return;
      this.built = this.state.study;
      this.curves = this.arms.map((run) => {
        const color = `var(--n2n-u${run.color})`, stroke = `stroke: ${color}${run.dash ? `; stroke-dasharray: ${run.dash}` : ""}`;
        const guess = this.button(nameOf(run), () => this.guess(run.arm));
        guess.style.borderLeftColor = color;
        return {
          run, guess,
          band: make("path", { class: "n2n-band", style: `fill: ${color}` }),
          line: make("path", { class: "n2n-curve", fill: "none", style: stroke }),
          marks: make("path", { class: "n2n-marks", style: `stroke: ${color}` }),
          hold: make("path", { class: "n2n-hold", fill: "none", style: `stroke: ${color}` }),
          stem: make("path", { class: "n2n-stem", fill: "none", style: `stroke: ${color}` }),
          text: make("text", { class: "n2n-name" }, ...run.label.split("\n").map((words) => make("tspan", {}, words))),
        };
      });
      this.guesses.replaceChildren(...this.curves.filter(({ run }) => run.arm !== "teacher").map(({ guess }) => guess));
      this.lines.replaceChildren(
        ...this.curves.map(({ band }) => band), ...this.curves.flatMap(({ hold, line, marks }) => [hold, line, marks]));
      this.heads.replaceChildren(...this.curves.flatMap(({ stem, text }) => [stem, text]));
      // At worst all labels have two lines; net2net.css reserves as much.
      this.high = Math.max(340, 60 + (2 * LINE + 4) * this.rivals.length);
      this.right = STEM + 4 + Math.max(16, ...this.curves.flatMap(({ text }) => [...text.children].map((words) => words.getComputedTextLength())));
      put(this.plot, { height: this.high });
      put(this.window_, { height: this.high });
      put(this.now, { y2: this.high - EDGE.bottom });
    }

    // -------------------------------------------------------------- drawing

    render() {
      if (!this.heads) return;
      this.buildArms();
      this.renderControls();
      this.renderPlot();
    }

    renderControls() {
      const { study, axis, measure, guess, at } = this.state, none = !this.arms.length;
      say(this.ask, none ? "" : `Which ends ${this.most_}? Choose one, and the race begins.`);
      for (const curve of this.curves) put(curve.guess, { "aria-pressed": curve.run.arm === guess });
      for (const [value, input] of Object.entries(this.axes.inputs)) {
        input.checked = value === axis;
        input.disabled = none || !study.axes.includes(value);
      }
      for (const [value, input] of Object.entries(this.measures.inputs)) {
        input.checked = value === measure;
        input.disabled = none;
      }
      say(this.button_, this.playing ? "Pause" : "Play");
      for (const control of [this.button_, this.again, this.slider_.input]) control.disabled = none;
      this.slide(this.slider_, {}, at, none ? "" : this.time_());
    }

    /* Equal distances divide errors, or losses, by equal factors. */
    scale(value) { return this.accuracy ? -Math.log(1.001 - value) : Math.log(Math.max(value, LEAST)); }

    renderPlot() {
      const wide = this.widthOf(this.plot) || 700, { left, top, bottom } = EDGE, { high: tall, right, most, time } = this, { at } = this.state;
      const px = (x) => left + Math.sqrt(x / most) * (wide - left - right);
      const drawn = this.curves.map((curve) => ({ ...curve, points: this.points(curve.run) }));
      const values = drawn.flatMap(({ points }) => points.flatMap(({ low, high }) => [this.scale(low), this.scale(high)]));
      const low = values.length ? Math.min(...values) : 0, high = Math.max(...values, low + 0.1);
      const py = (value) => top + 6 + ((high - this.scale(value)) / (high - low)) * (tall - top - bottom - 12);
      const cut = (number) => number.toFixed(1), here = px(time), heads = [];

      this.renderGrid(wide, px, py, low, high);
      put(this.window_, { width: at ? here + 3 : 0 });
      put(this.now, { x1: here, x2: here, visibility: at > 0 && at < 1 && this.arms.length ? "visible" : "hidden" });
      for (const { run, points, band, line, marks, hold, stem, text } of drawn) {
        // A teacher that stands still is a level for the others.
        const along = this.still(run) && points.length ? [...points, { ...points[0], x: most }] : points;
        const path = (ps, value) => ps.map((point) => `${cut(px(point.x))} ${cut(py(point[value]))}`).join("L");
        put(line, { d: along.length ? `M${path(along, "middle")}` : "" });
        put(marks, { d: this.still(run) ? "" : points.map((p) => `M${cut(px(p.x))} ${cut(py(p.middle))}h0`).join("") });
        put(band, { d: run.seeds > 1 && along.length ? `M${path(along, "low")}L${path([...along].reverse(), "high")}Z` : "" });
        const end = along.at(-1);  // a run that is over keeps its place until the others are
        put(hold, { d: end && end.x < most ? `M${cut(px(end.x))} ${cut(py(end.middle))}H${cut(px(most))}` : "" });
        const i = at ? along.findLastIndex(({ x }) => x <= time) : -1;
        for (const node of [stem, text]) put(node, { visibility: i < 0 ? "hidden" : "visible" });
        if (i < 0) continue;
        // The head of a line runs straight from one point measured to the next.
        const from = along[i], to = along[i + 1] ?? from, part = to === from ? 0 : (here - px(from.x)) / (px(to.x) - px(from.x));
        const y = py(from.middle) + part * (py(to.middle) - py(from.middle));
        heads.push({ stem, text, lines: text.children.length, x: here + STEM, y, from: y });
      }
      this.renderHeads(heads, here, tall - bottom);
      put(this.plot, { viewBox: `0 0 ${wide} ${tall}`, "aria-label": this.picture() });
    }

    /* Labels in the order of the ends of their lines, moved apart where they would overlap. */
    renderHeads(heads, here, floor) {
      heads.sort((a, b) => a.y - b.y);
      const apart = (a, b) => ((a.lines + b.lines) * LINE) / 2 + 2;
      heads.forEach((head, i) => { if (i) head.y = Math.max(head.y, heads[i - 1].y + apart(heads[i - 1], head)); });
      heads.reverse().forEach((head, i) => {
        head.y = Math.min(head.y, i ? heads[i - 1].y - apart(heads[i - 1], head) : floor - (head.lines * LINE) / 2);
      });
      for (const { stem, text, lines, x, y, from } of heads) {
        put(stem, { d: `M${here + 3} ${from.toFixed(1)}L${(x - 3).toFixed(1)} ${y.toFixed(1)}` });
        [...text.children].forEach((words, i) => put(words, { x: x.toFixed(1), y: (y + (i - (lines - 1) / 2) * LINE + 4).toFixed(1) }));
      }
    }

    renderGrid(wide, px, py, low, high) {
      const { left, top, bottom } = EDGE, { axis } = this.state, { high: tall, right, most } = this;
      const key = JSON.stringify([wide, low, high, most, axis, tall, right, this.accuracy]);
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
          make("text", { class: "n2n-tick", "text-anchor": "end", x: left - 6, y: y + 4 }, this.accuracy ? `${Number((100 * value).toFixed(1))} %` : value),
        ]),
        ...ticks.map((x) => make("text", { class: "n2n-tick", "text-anchor": "middle", x: px(x), y: tall - bottom + 16 }, Number(x.toPrecision(1)).toLocaleString("en-US"))),
      );
      put(this.frameLine, { d: `M${left} ${top}V${tall - bottom}H${wide - right}` });
      say(this.axisName, `${{ updates: "updates", seconds: "seconds of training", total: "total seconds" }[axis]}, stretched near 0`);
      put(this.axisName, { x: left, y: tall - 4 });
    }

    picture() {
      const over = { updates: "updates", seconds: "seconds of training", total: "total seconds" }[this.state.axis];
      return `${MEASURES[this.state.measure]} over ${over}, a line for each arm. ${this.playing ? "" : this.describe()}`;
    }
  }

  if (!customElements.get("net2net-race")) customElements.define("net2net-race", Race);
}
