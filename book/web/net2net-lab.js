/* <net2net-lab units="8" layers="1" seed="0" rate="0.02" speed="1" bill="0" axis="updates" recorded='[{"kind", "sizes", "points"}, ...]'>

   Networks trained in the page on 5,000 real digits, and grown while they train. helpers/show/lab.py writes the element and
   packs the digits, which come when the reader asks for them. This is its face; beside this file are its parts: the
   networks, their training, the chart, and the view inside one network. */

{
  const { range } = Net2Net;
  const { make, put, say } = Net2NetElement;
  const { Chart, Inside, KINDS, MOST_LAYERS, MOST_RUNS, MOST_UNITS, PRESETS, Training, count, isFresh, percent } = Net2NetLab;
  const { LETTERS, RATES, SEEDS, SPEEDS } = Training;
  const { look, spent } = Chart;

  const ON_PAGE = Boolean(document.currentScript?.src);  // in a notebook the address is not the lab's
  const FOLDED = ["goes-on", "padded"];                  // kinds that are made rarely
  const BOUGHT = "What growing buys is the time before the crossing.";

  class Lab extends Training {
    static title = "Train networks and grow them";
    static defaults = { units: 8, layers: 1, seed: 0, rate: 0.02, speed: 1, bill: 0, axis: "updates", recorded: [] };

    describe() {
      const [first, ...students] = this.shown(), press = "Press Train to train your own here, on 5,000 real digits.";
      if (this.message || !students.length) return this.message ?? press;
      return `A recorded run: teacher A stopped after ${first.points.at(-1)[0]} updates; ${students[0].letter} to ${students.at(-1).letter} were made then, and trained on. ${press}`;
    }

    // -------------------------------------------------------------- a link, and a picture

    link() {
      history.replaceState(null, "", Net2NetLab.toAddress(this.state, this.done));
      const below = this.runs.some(({ parent }) => parent && parent !== this.runs[0]) ? " Students of students are not in it." : "";
      const copied = navigator.clipboard?.writeText(location.href) ?? Promise.reject();
      copied.then(() => this.tell(`The link to this run is copied.${below}`), () => this.tell(`The link to this run is in the address bar.${below}`));
    }

    /* Take the run in the page's address, if there is one. */
    follow() {
      const given = Net2NetLab.fromAddress(location.hash);
      if (!given) return;
      this.prepare(given.state, given.plan);
      this.tell("The settings of this run came with the link. Press Train to make it.");
      this.scrollIntoView();
    }

    save() {
      const { seed, units, layers } = this.state, { rate, later } = this.done;
      const href = URL.createObjectURL(new Blob([this.chart.picture(this.shown(), [
        `Seed ${this.band ? `${seed} to ${seed + SEEDS - 1}` : seed}; learning rate ${rate}${later === rate ? "" : `, then ${later}`}; on the bill: ${this.billed()}.`,
        `Teacher: ${layers} hidden layer${layers > 1 ? "s" : ""} of ${units} units.`, ...this.crossingWords().split(/(?<=\.) /),
      ])], { type: "image/svg+xml" }));
      make("a", { href, download: "net2net-lab.svg" }).click();
      setTimeout(() => URL.revokeObjectURL(href), 1000);
      this.tell("The chart is saved as net2net-lab.svg.");
    }

    connectedCallback() {
      super.connectedCallback();
      this.followed = () => this.follow();
      if (!ON_PAGE) return;
      addEventListener("hashchange", this.followed);
      if (!this.live) this.follow();
    }

    disconnectedCallback() {
      removeEventListener("hashchange", this.followed);
      super.disconnectedCallback();
    }

    // -------------------------------------------------------------- building

    build(live) {
      const moved = (changes) => this.set(changes, { byHand: true });
      this.chart = new Chart();
      this.inside = new Inside(this);
      this.crossed = make("p", { class: "n2n-lab-cross-words" });
      this.go = this.button("Train", () => (this.playing ? this.pause() : this.play()));
      this.go.classList.add("n2n-go");
      this.stepper = this.button("Step", () => this.step());
      this.again = this.button("Start over", () => this.restart());
      this.presets = Object.values(PRESETS).map((one) => this.button(one.name, () => this.preset(one)));
      this.bill_ = this.slider("The teacher’s training on the bill", { min: 0, max: 10, step: 1 }, (tenths) => moved({ bill: tenths / 10 }), "n2n-lab-bill");
      this.bar = make("progress", { class: "n2n-lab-bar", max: SEEDS, value: 0, "aria-label": "Seeds done" });
      this.seeds = this.button("", () => this.repeat());
      this.saver = this.button("Save the chart", () => this.save());
      this.linker = this.button("Copy a link", () => this.link());
      live.append(
        make("div", { class: "n2n-lab-presets", role: "group", "aria-label": "Two runs to watch" }, ...this.presets),
        make("div", { class: "n2n-lab-stage" }, this.chart.svg, this.crossed),
        make("div", { class: "n2n-buttons n2n-lab-press" }, this.go, this.stepper, this.again),
        this.says, this.buildGrowth(), this.bill_.box, this.buildRows(),
        make("div", { class: "n2n-buttons n2n-lab-keep" }, this.seeds, ...(ON_PAGE ? [this.linker] : []), this.saver), this.bar,
        this.buildSettings(moved), this.inside.build(),
      );
    }

    fold(summary, ...children) {
      return make("details", { class: "n2n-lab-fold" }, make("summary", {}, summary), make("div", {}, ...children));
    }

    buildSettings(moved) {
      const keeps = (changes, words) => {
        moved(changes);
        if (this.runs.length) this.tell(`This teacher stays as it is. Start over to train one with ${words}.`);
      };
      this.units_ = this.slider("Teacher’s units", { min: 4, max: 16, step: 1 }, (units) => keeps({ units }, `${units} units`));
      this.rate_ = this.slider("Learning rate", { min: 0, max: RATES.length - 1, step: 1 }, (i) => moved({ rate: RATES[i] }));
      this.speed_ = this.slider("Speed", { min: 0, max: SPEEDS.length - 1, step: 1 }, (speed) => moved({ speed }));
      this.layers_ = this.choice("Teacher’s hidden layers", { 1: "One", 2: "Two" }, (layers) => keeps({ layers: Number(layers) }, layers === "1" ? "one hidden layer" : "two hidden layers"));
      this.axis_ = this.choice("Horizontal axis", { updates: "Updates", work: "Work" }, (axis) => moved({ axis }));
      const another = this.button("Another seed", () => {
        this.clear();
        moved({ seed: this.state.seed + 1 });
        this.tell(`Seed ${this.state.seed}: other first weights and other batches. Press Train.`);
      });
      return this.fold("Settings", make("div", { class: "n2n-controls n2n-even" }, this.units_.box, this.rate_.box, this.speed_.box),
        make("div", { class: "n2n-lab-two" }, this.layers_.box, this.axis_.box), make("div", { class: "n2n-buttons" }, another));
    }

    buildRows() {
      const name = `${this.id_}-runs`;
      this.rows = range(MOST_RUNS).map((i) => {
        const input = make("input", { type: "radio", name, value: i });
        input.addEventListener("change", () => {
          this.chosen = i;
          this.tell(`${this.run.letter} is shown inside now, and is the one to grow.`);
          this.render();
        });
        const line = make("path", { d: "M0 8h24", fill: "none", class: "n2n-curve" });
        const swatch = make("svg", { width: 24, height: 16, "aria-hidden": "true" }, line);
        const words = make("b"), score = make("b", { class: "n2n-score" }), sizes = make("small");
        const face = make("span", {}, swatch, words, score, sizes);
        const away = this.button("×", () => this.drop(this.runs[i]));
        const box = make("div", { class: "n2n-row" }, make("label", {}, input, face), away);
        return { box, input, line, words, score, sizes, away };
      });
      this.legend = make("legend", {}, "Networks");
      return make("fieldset", { class: "n2n-choice n2n-rows" }, this.legend, make("div", {}, ...this.rows.map(({ box }) => box)));
    }

    buildGrowth() {
      this.target_ = this.slider("Widen to", { min: 5, max: 64, step: 1 }, (width) => { this.width = width; this.render(); });
      const kinds = Object.keys(KINDS).filter((kind) => KINDS[kind].button);
      const makers = kinds.map((kind) => [kind, this.button(KINDS[kind].button, () => this.grow([kind]))]);
      this.makers = [...makers, ["all", this.button("All eight", () => this.grow(kinds))]];
      this.growLegend = make("legend", {}, "Grow it");
      const rare = ([kind]) => FOLDED.includes(kind) || kind === "all", buttons = (some) => make("div", { class: "n2n-lab-makers" }, ...some.map(([, button]) => button));
      return make("fieldset", { class: "n2n-lab-grow" }, this.growLegend, buttons(this.makers.filter((one) => !rare(one))),
        this.fold("Other widths, other ways", this.target_.box, buttons(this.makers.filter(rare))));
    }

    // -------------------------------------------------------------- drawing

    render() {
      if (!this.inside) return;
      const shown = this.shown();
      this.renderControls();
      this.renderRows(shown);
      this.renderChart(shown);
      this.renderGrowth();
      this.inside.render(shown.find((run) => run.look));
    }

    /* What is drawn: medians over seeds, the reader's networks, or before there are any those of the recorded run. */
    shown() {
      if (this.band) return this.band;
      if (this.runs.length)
        return this.runs.map(({ kind, letter, points, net, parent }) => ({ kind, letter, points, sizes: net.sizes, parent: this.runs.indexOf(parent) }));
      return this.state.recorded.filter(({ kind }) => kind in KINDS).slice(0, MOST_RUNS)
        .map((run, i) => ({ ...run, letter: LETTERS[i], parent: i ? 0 : -1 }));
    }

    /* The place of the network that stands out. */
    get marked() { return this.runs.length && !this.band ? this.chosen : this.shown().findIndex((run) => run.look); }

    billed() {
      const { bill } = this.state;
      return bill === 0 ? "none, you have it already" : bill === 1 ? "all of it" : `${Math.round(100 * bill)} %`;
    }

    renderControls() {
      const { units, layers, rate, speed, axis, bill } = this.state;
      say(this.go, this.loading ? "Loading …" : this.playing ? "Pause" : this.failed ? "Try again" : "Train");
      this.slide(this.units_, {}, units, `${units}`);
      const near = RATES.reduce((best, one, i) => (Math.abs(one - rate) < Math.abs(RATES[best] - rate) ? i : best), 0);
      this.slide(this.rate_, {}, near, `${rate}`);
      this.slide(this.speed_, {}, speed, SPEEDS[speed][0]);
      this.slide(this.bill_, {}, Math.round(10 * bill), this.billed());
      for (const [value, input] of Object.entries(this.axis_.inputs)) input.checked = value === axis;
      for (const [value, input] of Object.entries(this.layers_.inputs)) input.checked = value === `${layers}`;
      say(this.seeds, this.trial ? "Stop" : this.band ? "Back to one seed" : `Repeat with ${SEEDS} seeds`);
      put(this.bar, { class: `n2n-lab-bar${this.trial ? "" : " n2n-lab-free"}`, value: this.trial ? (this.trial.tries.length + Math.min(this.trial.made, 1)).toFixed(2) : 0 });
    }

    renderRows(shown) {
      const { leaves, band } = this;
      // A network from scratch has made no updates but its own.
      const before = ({ kind, parent, points }) => (isFresh(kind) ? points[0][0] : parent > 0 ? before(shown[parent]) : 0);
      this.rows.forEach(({ box, input, line, words, score, sizes, away }, i) => {
        const run = shown[i], mine = band ? undefined : this.runs[i];
        put(box, { class: `n2n-row${run ? "" : " n2n-lab-free"}` });
        input.disabled = !mine;
        input.checked = Boolean(mine) && i === this.chosen;
        const gone = !mine || i === 0 || !leaves.includes(mine);
        put(away, { class: gone ? "n2n-lab-none" : "", "aria-label": run ? `Remove ${run.letter}` : "Remove" });
        away.disabled = gone;
        if (!run) return;
        put(line, { style: look(run.kind) });
        say(words, `${run.letter} ${KINDS[run.kind].name}`);
        const last = run.points.at(-1);
        say(score, last ? percent(last[2]) : "");
        const from = mine?.parent && mine.parent !== this.runs[0] ? ` from ${mine.parent.letter}` : "";
        const after = !last ? "" : band ? ` · ${percent(last[3])} to ${percent(last[4])}` : ` · ${count(last[0] - before(run))} updates`;
        say(sizes, `${run.sizes.join("-")}${from}${after}`);
      });
      say(this.legend, band ? `Medians of ${SEEDS} seeds, and their ranges` : this.runs.length ? "Choose one to see and grow" : "Networks of the recorded run");
    }

    renderChart(runs) {
      const { axis, bill } = this.state, { marked } = this;
      const curves = Net2NetLab.placed(runs, axis === "work" ? 1 : 0, bill), pair = Net2NetLab.rivals(runs, marked);
      this.pair = pair && { letters: pair.map((i) => runs[i].letter), ...Net2NetLab.compared(...pair.map((i) => curves[i])) };
      const stamp = this.band ? `${SEEDS} seeds` : this.runs.length ? "" : "recorded run";
      this.chart.draw({ wide: this.widthOf(this.chart.svg) || 700, runs, curves, axis, chosen: marked, crossed: this.pair?.at, stamp });
      say(this.crossed, this.crossingWords());
    }

    crossingWords() {
      if (!this.pair) return `${BOUGHT} To see it, make copies and a fresh network of their size.`;
      const { at, atOnce, lead, letters: [grown, fresh] } = this.pair;
      if (atOnce) return `${fresh}, from scratch, is ahead when ${grown} begins. ${BOUGHT} Here: none.`;
      if (at) return `${fresh}, from scratch, passes ${grown} after ${spent(at[0], this.state.axis)}. ${BOUGHT}`;
      return `${lead === undefined ? "" : `${grown} and ${fresh}, from scratch, have not crossed so far. `}${BOUGHT}`;
    }

    renderGrowth() {
      const ready = Boolean(this.run), full = this.runs.length + this.wanted.length >= MOST_RUNS;
      const { least, most, chosen } = ready ? this.widths(this.run) : {}, wide = ready && least <= most, deep = ready && this.run.net.layers.length <= MOST_LAYERS;
      say(this.growLegend, !ready ? "Grow it, once there is a teacher" : full ? "No room to grow: remove one" : `Grow ${this.run.letter}, ${this.run.net.sizes.join("-")}`);
      const limits = { min: wide ? least : 8, max: wide ? most : MOST_UNITS }, width = wide ? chosen : 4 * this.state.units;
      this.slide(this.target_, limits, width, ready && !wide ? `${MOST_UNITS} at most` : `${width} units`);
      this.target_.input.disabled = !wide;
      for (const [kind, button] of this.makers) {
        const { wider, deeper } = KINDS[kind] ?? {};
        button.disabled = !ready || full || (wider && !wide) || (deeper && !deep) || (kind === "all" && !(wide && deep));
      }
    }
  }

  if (!customElements.get("net2net-lab")) customElements.define("net2net-lab", Lab);
}
