/* <net2net-widen teacher='{"w1", "b1", "w2", "b2", "activation"}' width="8" seed="0" ...>

   A small network from one number to one number, whose hidden layer is widened by hand. Every unit is one column, in
   the order of the data from below: weight in, bias, unit, share, weight out. helpers/explore.py writes the element
   and is its other face; state and meaning are those of `helpers.explore.Widen`. With the attribute `play` it grows once
   by itself, unit by unit, until a hand comes or where motion is not wanted. */

{
  const { range } = Net2Net;
  const { make, put, say, number, names } = Net2NetElement;

  const WAYS = { equal: "Equal shares", random: "Unequal shares", undivided: "Not divided", randompad: "Random padding" };
  const X = range(201).map((i) => (i === 200 ? 1 : -1 + i * 0.01));
  // Where things stand from above, in pixels: the output, its edges, and so on down to the input.
  const ROWS = { y: 16, out: 78, share: 107, unit: 172, into: 195, bias: 219, x: 305, height: 321 };
  const CELL = 24, BAR = 42, HIGH = 216, ROOM = 0.5;
  const TOP = 26;  // of the axes; the legend stands above
  const FINGER = 24;  // the least width, in pixels, that a finger can be asked to hit
  const PAUSE = 700;  // milliseconds between the steps of a growth that plays by itself
  const KEPT = "✓ zero up to rounding: the same function";

  class Widen extends Net2NetElement {
    static title = "Widen a network by hand";
    static defaults = {
      teacher: null, width: 0, seed: 0, way: "equal", noise: 0, mapping: [], parts: [], unit: -1,
    };

    // -------------------------------------------------------------- state

    get n() { return this.state.teacher.b1.length; }

    /* Make a state whole: the same rules as `Widen._settle` in Python. */
    settle(state, changed) {
      if (!state.teacher) return state;
      const n = state.teacher.b1.length, most = 4 * n;
      const drawn = Net2Net.randomMapping(n, most, state.seed);
      let width = Math.round(Math.min(Math.max(state.width || 2 * n, n), most));
      let mapping = "seed" in changed ? [] : state.mapping;
      if ("mapping" in changed && changed.mapping.length >= n) {
        mapping = changed.mapping;
        width = mapping.length;
      }
      mapping = [...mapping.slice(0, width), ...drawn.slice(mapping.length, width)];
      const parts = "seed" in changed && !("parts" in changed) ? [] : state.parts;
      // The newest copy is looked at until somebody looks elsewhere.
      const unit = state.unit < 0 || state.unit >= width || width !== state.width || "width" in changed ? width - 1 : state.unit;
      return { ...state, width, mapping, parts, unit: "unit" in changed ? Math.max(0, Math.min(changed.unit, width - 1)) : unit };
    }

    /* The student that the state asks for; what `Widen.weights` is in Python. */
    widen() {
      const { teacher, width, seed, way, noise, mapping, parts } = this.state;
      const { w1, b1, w2 } = teacher, n = b1.length;
      if (way === "randompad") {
        // Drawn for all places and cut, so that a unit keeps its weights while the width moves.
        const whole = [...mapping, ...Array(4 * n - width).fill(0)];
        const [u1, c1, u2] = Net2Net.wider2netFc(w1, b1, w2, 4 * n, { init: way, mapping: whole, rng: seed });
        // To the scale of Glorot's initializer, for the reason that `Widen.weights` gives in Python.
        const scale = Math.sqrt(2 / (1 + n)) / Net2Net.PAD_STDDEV;
        const padded = (value, j) => (j < n ? value : value * scale);
        return {
          w1: u1.map((row) => row.slice(0, width).map(padded)), b1: c1.slice(0, width),
          w2: u2.slice(0, width).map((row, j) => row.map((value) => padded(value, j))), shares: [],
        };
      }
      let shares = mapping.map(() => 1);
      if (way === "equal") shares = Net2Net.copyShares(mapping);
      if (way === "random")
        shares = parts.length ? Net2Net.sharesOf(mapping, parts) : Net2Net.copyShares(mapping, "random", seed);
      if (width === n) return { w1, b1, w2: Net2Net.placeInputs(w2, mapping, shares), shares };
      const [u1, c1, u2] = Net2Net.wider2netFc(w1, b1, w2, width, { mapping, shares, noise, rng: seed });
      return { w1: u1, b1: c1, w2: u2, shares };
    }

    /* The values of a network with these weights over X, and what each unit adds to them. */
    values({ w1, b1, w2 }) {
      const { activation, b2 } = this.state.teacher, phi = Net2Net.activations[activation];
      return X.map((x) => {
        let sum = 0;
        for (let j = 0; j < b1.length; j++) sum += phi(x * w1[0][j] + b1[j]) * w2[j][0];
        return sum + b2[0];
      });
    }

    adds({ w1, b1, w2 }, j) {
      const phi = Net2Net.activations[this.state.teacher.activation];
      return X.map((x) => phi(x * w1[0][j] + b1[j]) * w2[j][0]);
    }

    isNew(j) { return this.state.way === "randompad" && j >= this.n; }

    /* Give unit j this share; the other copies give way, in proportion, and the sum stays one. */
    giveShare(j, share) {
      const { mapping, way, parts } = this.state;
      const k = mapping[j], shares = this.student.shares, others = 1 - shares[j];
      const group = range(mapping.length).filter((i) => mapping[i] === k);
      if (group.length < 2 || !["equal", "random"].includes(way)) return;
      const next = way === "random" && parts.length ? [...parts] : Array(4 * this.n).fill(1);
      if (way === "random" && !parts.length) shares.forEach((s, i) => { next[i] = s * this.counts[mapping[i]]; });
      for (const i of group) next[i] = group.length * (i === j ? share : (shares[i] * (1 - share)) / others);
      this.set({ parts: next, way: "random", unit: j }, { byHand: true });
    }

    // -------------------------------------------------------------- words

    /* 'b' and 'b, copy 1' read better aloud than primes. */
    spoken(j) {
      const { mapping } = this.state, k = mapping[j];
      const before = mapping.slice(0, j).filter((i) => i === k).length;
      return String.fromCharCode(97 + (k % 26)) + (before ? ` copy ${before}` : "");
    }

    describe(news) {
      if (!this.student) return "";
      const { mapping, unit, width, way, noise, teacher } = this.state;
      const k = mapping[unit], group = range(width).filter((j) => mapping[j] === k);
      const out = this.student.w2.map((row) => number(row[0])), was = number(teacher.w2[k][0]);
      const list = (words) => (words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
      const many = group.length > 4;
      const become = many ? `${group.length} parts` : list(group.map((j) => out[j]));
      let text = "seed" in news ? "New mapping. " : "";
      const letter = String.fromCharCode(97 + (k % 26));
      if (width === this.n) text += "No copies yet: the student is the teacher.";
      else if (this.isNew(unit)) text += `Unit ${unit + 1} (${this.name(unit)}) has random weights and copies nothing.`;
      else if (way === "randompad") text += `Unit ${letter} keeps its weight ${was}.`;
      else if (group.length === 1) text += `Unit ${k + 1} (${letter}) has no copy and keeps its weight ${was}.`;
      else {
        const to = many ? `${group.length - 1} units` : `${group.length > 2 ? "units" : "unit"} ${list(group.slice(1).map((j) => j + 1))}`;
        text += `Unit ${k + 1} (${letter}) is copied to ${to}; `;
        text += way === "undivided" ? `${was} is kept ${group.length} times.` : `${was} becomes ${become}.`;
      }
      if (noise && way !== "randompad" && width > this.n) text += " Noise has changed the copies' weights.";
      return `${text} ${this.kept ? "The function has not changed." : "The function has changed."}`;
    }

    /* The first mapping is news after another one, but what counts is that it is the first. */
    restart() {
      super.restart();
      this.announce(`Back at the start. ${this.describe({})}`);
    }

    // -------------------------------------------------------------- playing

    begin() {
      super.begin();
      if (this.hasAttribute("play") && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.play();
    }

    /* Grow from the teacher to the width that the state has. */
    play() {
      const last = this.state.width, stop = () => clearInterval(this.playing);
      const step = () => {
        this.set({ width: this.state.width + 1 });
        if (this.state.width >= last) stop();
      };
      this.set({ width: this.n }, { quiet: true });
      this.playing = setInterval(step, PAUSE);
      for (const touch of ["pointerdown", "keydown", "focusin"]) this.addEventListener(touch, stop, { once: true });
    }

    disconnectedCallback() {
      clearInterval(this.playing);
      super.disconnectedCallback();
    }

    // -------------------------------------------------------------- building

    build(live) {
      const moved = (changes) => this.set(changes, { byHand: true });
      this.width_ = this.slider("Hidden units", { min: 1, max: 4, step: 1 }, (width) => moved({ width }), "n2n-main");
      this.ways = this.choice("New units get", WAYS, (way) => moved({ way, parts: [] }));
      this.noise_ = this.slider("Noise", { min: 0, max: 1, step: 0.05 }, (noise) => moved({ noise }));
      this.unit_ = this.slider("Look at unit", { min: 1, max: 4, step: 1 }, (unit) => moved({ unit: unit - 1 }));
      this.share_ = this.slider("Its share", { min: 0.02, max: 0.98, step: 0.01 },
        (share) => this.giveShare(this.state.unit, share));
      const draw = this.button("New mapping", () => moved({ seed: this.state.seed + 1 }));
      const again = this.button("Start over", () => this.restart());

      this.gap_ = make("strong", { class: "n2n-gap" });
      this.verdict = make("span", { class: "n2n-verdict" });
      this.equation = make("div", { class: "n2n-equation" });
      const reading = make("div", { class: "n2n-reading" },
        make("div", { class: "n2n-label" }, "max |f", make("sub", {}, "new"), " − f", make("sub", {}, "old"), "|"),
        this.gap_, make("div", { class: "n2n-longest", "data-longest": KEPT }, this.verdict));

      this.plot = make("svg", { class: "n2n-plot", role: "img", height: HIGH });
      this.net = make("svg", { class: "n2n-net", role: "img", height: ROWS.height });
      this.buildPlot();
      this.net.addEventListener("pointermove", (event) => this.pointed(event));
      this.net.addEventListener("pointerdown", (event) => this.pressed(event));
      this.net.addEventListener("pointerup", () => { this.held = undefined; });
      this.net.addEventListener("pointercancel", () => { this.held = undefined; });
      this.net.addEventListener("pointerleave", () => this.look(undefined));
      // A touch that moves a bar must not scroll the page: the browser would take it over and cancel the pointer.
      this.net.addEventListener("touchmove", (event) => {
        if (this.held !== undefined && event.cancelable) event.preventDefault();
      }, { passive: false });

      live.append(
        this.width_.box, this.ways.box,
        make("div", { class: "n2n-controls" }, this.noise_.box, make("div", { class: "n2n-buttons" }, draw, again)),
        make("div", { class: "n2n-views" }, make("div", { class: "n2n-news" }, reading, this.says), this.plot, this.equation),
        this.net,
        make("div", { class: "n2n-controls n2n-pair" }, this.unit_.box, this.share_.box),
      );
    }

    buildPlot() {
      const clip = `${this.id_}-clip`;
      this.frame = make("rect", { x: 0, y: TOP - 2, height: HIGH - TOP, width: 0 });
      this.axes = [0, 1].map(() => make("line", { class: "n2n-axis" }));
      this.curves = ["old", "part", "new"].map((name) => make("path", { class: `n2n-${name}`, fill: "none" }));
      this.legend = ["old", "new", "part"].map((name) => [
        make("path", { class: `n2n-${name}`, fill: "none" }), make("text", { y: 18 }, { old: "teacher", new: "student" }[name] ?? ""),
      ]);
      this.plot.append(
        make("defs", {}, make("clipPath", { id: clip }, this.frame)),
        ...this.axes, make("g", { "clip-path": `url(#${clip})` }, ...this.curves), ...this.legend.flat(),
      );
    }

    /* Columns for 4n units, made once for a teacher; only what changes is touched later. */
    buildNet() {
      if (this.columns?.length === 4 * this.n) return;
      this.net.replaceChildren();
      this.gutter = ["W₂", "share", "unit", "W₁", "bias"].map((words) => make("text", { class: "n2n-gutter", x: 0 }, words));
      const lit = make("g"), edges = make("g"), front = make("g");
      this.columns = range(4 * this.n).map(() => {
        const cell = (name) => [make("rect", { class: `n2n-cell ${name}`, height: CELL }), make("text", { class: "n2n-value" })];
        const column = {
          lit: make("rect", { class: "n2n-lit", y: ROWS.out - 4, height: ROWS.bias + CELL + 8 - ROWS.out, rx: 5 }),
          up: make("line", { class: "n2n-edge" }), down: make("line", { class: "n2n-edge" }),
          stem: make("line", { class: "n2n-stem" }),
          out: cell("n2n-out"), into: cell("n2n-into"), bias: cell("n2n-bias"),
          track: make("rect", { class: "n2n-track", y: ROWS.share, height: BAR, rx: 2 }),
          bar: make("rect", { class: "n2n-bar", rx: 2 }),
          part: make("text", { class: "n2n-value" }),
          circle: make("circle", { class: "n2n-unit", cy: ROWS.unit }),
          name: make("text", { class: "n2n-name", y: ROWS.unit }),
        };
        column.all = make("g", {}, column.stem, ...column.out, column.track, column.bar, column.part, ...column.into,
          ...column.bias, column.circle, column.name);
        lit.append(column.lit);
        edges.append(column.up, column.down);
        front.append(column.all);
        return column;
      });
      this.ends = ["y", "x"].map((name) => [make("rect", { class: "n2n-end", width: 30, height: 30, rx: 6, y: ROWS[name] - 15 }),
        make("text", { class: "n2n-name", y: ROWS[name] }, name)]);
      this.net.append(lit, edges, front, ...this.ends.flat(), ...this.gutter);
    }

    // -------------------------------------------------------------- pointing

    column(event) {
      const box = this.net.getBoundingClientRect();
      const j = Math.floor((event.clientX - box.left - this.left) / this.columnWidth);
      return j >= 0 && j < this.state.width ? j : undefined;
    }

    pointed(event) {
      if (this.held !== undefined) {
        const box = this.net.getBoundingClientRect();
        const share = (ROWS.share + BAR - (event.clientY - box.top)) / BAR;
        this.giveShare(this.held, Math.min(Math.max(share, 0.02), 0.98));
      } else if (event.pointerType === "mouse") this.look(this.column(event));
    }

    /* The unit whose bar is meant: of those that can be moved, the nearest within a finger's reach. */
    bar(event) {
      const box = this.net.getBoundingClientRect(), x = event.clientX - box.left - this.left, y = event.clientY - box.top;
      if (y < ROWS.share - 4 || y > ROWS.share + BAR + 4) return undefined;
      const far = (j) => Math.abs(x - (j + 0.5) * this.columnWidth), reach = Math.max(this.columnWidth, FINGER) / 2;
      return range(this.state.width).filter((j) => this.mayShare(j) && far(j) <= reach).sort((i, j) => far(i) - far(j))[0];
    }

    pressed(event) {
      const bar = this.bar(event), j = bar ?? this.column(event);
      if (j === undefined) return;
      this.set({ unit: j }, { byHand: true });
      if (bar === undefined) return;
      this.held = bar;
      this.net.setPointerCapture(event.pointerId);
    }

    look(j) {
      if (this.looked === j) return;
      this.looked = j;
      this.render();
    }

    mayShare(j) { return ["equal", "random"].includes(this.state.way) && this.counts[this.state.mapping[j]] > 1; }

    // -------------------------------------------------------------- drawing

    render() {
      if (!this.state.teacher) return;
      this.buildNet();
      const { teacher, width, mapping } = this.state;
      this.student = this.widen();
      this.counts = Net2Net.replicationCounts(mapping);
      this.old = this.values(teacher);
      this.new = this.values(this.student);
      this.gap = Net2Net.largestGap(this.old, this.new);
      this.kept = Net2NetElement.kept(this.gap, this.old);
      this.seen = this.looked !== undefined && this.looked < width ? this.looked : this.state.unit;
      this.renderControls();
      this.renderPlot();
      this.renderReading();
      this.renderNet();
    }

    color(j) { return this.isNew(j) ? "var(--n2n-u7)" : `var(--n2n-u${this.state.mapping[j] % 7})`; }

    name(j) { return this.isNew(j) ? `new ${j - this.n + 1}` : names(this.state.mapping)[j]; }

    renderControls() {
      const { width, way, noise, unit } = this.state, n = this.n;
      this.slide(this.width_, { min: n, max: 4 * n }, width, width === n ? `${n}` : `${n} → ${width}`, `${width}, from ${n}`);
      this.slide(this.noise_, {}, noise, noise ? `± ${Math.round(100 * noise)} %` : "none");
      this.noise_.input.disabled = way === "randompad";
      this.slide(this.unit_, { min: 1, max: width }, unit + 1, `${unit + 1}: ${this.name(unit)}`,
        `${unit + 1}, ${this.isNew(unit) ? this.name(unit) : this.spoken(unit)}`);
      const may = this.mayShare(unit), share = this.student.shares[unit] ?? 1;
      const words = this.isNew(unit) ? ["–", "none"] : [number(share)];
      this.slide(this.share_, {}, may ? Math.round(100 * share) / 100 : 0.98, ...words);
      this.share_.input.disabled = !may;
      for (const [value, input] of Object.entries(this.ways.inputs)) input.checked = value === way;
    }

    renderPlot() {
      const wide = Math.max(this.widthOf(this.plot), 200), high = HIGH;
      const low = Math.min(...this.old), top = Math.max(...this.old), room = ROOM * (top - low || 1);
      const px = (i) => (i / 200) * (wide - 12) + 6;
      const py = (y) => TOP + ((top + room - y) / (top - low + 2 * room)) * (high - TOP - 6);
      const path = (ys) => Net2NetElement.path(ys, px, py);
      put(this.frame, { width: wide });
      put(this.axes[0], { x1: 6, x2: wide - 6, y1: py(0), y2: py(0) });
      put(this.axes[1], { x1: px(100), x2: px(100), y1: TOP, y2: high - 6 });
      put(this.curves[0], { d: path(this.old) });
      put(this.curves[1], { d: path(this.adds(this.student, this.seen)), style: `stroke: ${this.color(this.seen)}` });
      put(this.curves[2], { d: path(this.new), class: this.kept ? "n2n-new" : "n2n-new n2n-off" });
      const narrow = wide < 340, length = narrow ? 16 : 26;
      this.legend.forEach(([key, text], i) => {
        const x = (narrow ? [5, 88, 169] : [8, 102, 196])[i];
        put(key, { d: `M${x} 14h${length}` });
        put(text, { x: x + length + 6 });
      });
      put(this.legend[1][0], { class: this.curves[2].getAttribute("class") });
      put(this.legend[2][0], { style: `stroke: ${this.color(this.seen)}` });
      const name = this.name(this.seen);
      say(this.legend[2][1], wide < 280 ? name : narrow ? `${name} adds` : `what ${name} adds`);
      put(this.plot, {
        viewBox: `0 0 ${wide} ${high}`,
        "aria-label": `Output over the input from −1 to 1. ${this.kept
          ? "The student's curve lies on the teacher's." : "The student's curve leaves the teacher's."}`,
      });
    }

    renderReading() {
      const { mapping, way, noise, teacher } = this.state, j = this.seen, k = mapping[j];
      say(this.gap_, this.gap === 0 ? "0" : number(this.gap, 3));
      say(this.verdict, this.kept ? KEPT : "✗ another function");
      put(this.verdict, { class: this.kept ? "n2n-verdict" : "n2n-verdict n2n-off" });
      const out = this.student.w2.map((row) => row[0]);
      const group = range(mapping.length).filter((i) => mapping[i] === k && !this.isNew(i));
      const letter = this.isNew(j) ? this.name(j) : String.fromCharCode(97 + (k % 26));
      const line = (words, formula) => make("div", {}, make("span", { class: "n2n-who" }, words), make("span", {}, formula));
      const terms = group.map((i) => number(out[i]));
      const shown = terms.length > 4 ? [...terms.slice(0, 3), "…", terms.at(-1)] : terms;
      const sum = number(group.reduce((total, i) => total + out[i], 0)), was = number(teacher.w2[k][0]);
      const plus = shown.join(" + ").replaceAll("+ −", "− ");
      const lines = this.isNew(j)
        ? [line("teacher", "nothing"), line("student", `${number(out[j])} · ${letter}`), line("", "")]
        : [
          line("teacher", `${was} · ${letter}`),
          line("student", group.length > 1 ? `(${plus}) · ${letter}` : `${was} · ${letter}`),
          line("", group.length < 2 ? "" : noise && way !== "randompad" ? `but its copies differ from ${letter}`
            : `= ${sum} · ${letter}${sum === was ? "" : `, not ${was}`}`),
        ];
      this.equation.replaceChildren(make("div", { class: "n2n-label" }, `What the output gets of ${letter}`), ...lines);
    }

    renderNet() {
      const { width, mapping, teacher } = this.state, n = this.n;
      const wide = Math.max(this.widthOf(this.net), 200);
      const gutter = wide < 480 ? 33 : 54, slot = this.columnWidth = (wide - gutter - 2) / width;
      this.left = gutter;
      const biggest = (rows) => Math.max(...rows.flat().map(Math.abs)) || 1;
      const most = { into: biggest([teacher.w1, teacher.b1].flat()), out: biggest(teacher.w2) };
      const middle = gutter + (slot * width) / 2, radius = Math.max(Math.min(15, slot / 2 - 2.5), 1);
      // A narrow column has room for the name alone, on two levels in turn; a still narrower one for the circle alone.
      const numbers = slot >= 30, named = slot >= 8, circled = slot >= 24 || !named, turns = slot < 20;
      const cellWide = Math.min(slot - 1, 64);
      const k = this.isNew(this.seen) ? -1 : mapping[this.seen];

      put(this.net, { viewBox: `0 0 ${wide} ${ROWS.height}`, "aria-label": this.picture() });
      this.gutter.forEach((text, i) => put(text, {
        y: [ROWS.out + CELL / 2, ROWS.share + BAR / 2, ROWS.unit, ROWS.into + CELL / 2, ROWS.bias + CELL / 2][i],
      }));
      this.ends.forEach(([box, text]) => { put(box, { x: middle - 15 }); put(text, { x: middle }); });

      const cell = ([rect, text], x, y, value, top) => {
        put(rect, { x: x + (slot - cellWide) / 2, y, width: cellWide, style:
          `fill: var(--n2n-${value < 0 ? "neg" : "pos"}); fill-opacity: ${(0.08 + 0.62 * Math.min(Math.abs(value) / top, 1)).toFixed(3)}` });
        say(text, numbers ? number(value) : value < 0 && slot >= 7 ? "−" : "");
        put(text, { x: x + slot / 2, y: y + CELL / 2 });
      };
      this.columns.forEach((column, j) => {
        const x = gutter + j * slot, center = x + slot / 2, there = j < width;
        put(column.all, { class: there ? "n2n-there" : "n2n-free" });
        put(column.up, { visibility: there ? "visible" : "hidden" });
        put(column.down, { visibility: there ? "visible" : "hidden" });
        if (!there) {
          put(column.lit, { visibility: "hidden" });
          return;
        }
        const color = this.color(j), same = this.isNew(j) ? j === this.seen : mapping[j] === k && k >= 0;
        const into = this.student.w1[0][j], out = this.student.w2[j][0], bias = this.student.b1[j];
        const edge = (line, weight, top, at) => put(line, {
          ...at, style: `stroke: ${color}; stroke-width: ${(0.7 + 4.3 * Math.min(Math.abs(weight) / top, 1)).toFixed(2)}`,
          class: `n2n-edge${weight < 0 ? " n2n-minus" : ""}${same ? " n2n-same" : ""}`,
        });
        edge(column.up, out, most.out, { x1: center, y1: ROWS.out, x2: middle, y2: ROWS.y + 15 });
        edge(column.down, into, most.into, { x1: middle, y1: ROWS.x - 15, x2: center, y2: ROWS.bias + CELL });
        put(column.stem, { x1: center, x2: center, y1: ROWS.share + BAR, y2: ROWS.into, style: `stroke: ${color}` });
        put(column.lit, { x, width: slot, visibility: same ? "visible" : "hidden", style: `fill: ${color}` });
        cell(column.out, x, ROWS.out, out, most.out);
        cell(column.into, x, ROWS.into, into, most.into);
        cell(column.bias, x, ROWS.bias, bias, most.into);
        const share = this.isNew(j) ? 0 : this.student.shares[j] ?? 1, bar = Math.min(FINGER, 0.6 * slot);
        const drag = this.mayShare(j) ? " n2n-drag" : "";
        put(column.track, { x: center - bar / 2, width: bar, class: `n2n-track${drag}`, visibility: this.isNew(j) ? "hidden" : "inherit" });
        put(column.bar, { x: center - bar / 2, width: bar, y: ROWS.share + BAR * (1 - share), height: BAR * share,
          style: `fill: ${color}`, class: `n2n-bar${drag}` });
        say(column.part, this.isNew(j) ? "–" : "");
        put(column.part, { x: center, y: ROWS.share + BAR / 2 });
        put(column.circle, { style: `stroke: ${color}`, class:
          `n2n-unit${j >= n ? " n2n-copy" : ""}${j === this.seen ? " n2n-seen" : ""}` });
        const short = this.isNew(j) && slot < 41, name = short ? `${j - n + 1}` : this.name(j);
        put(column.circle, { cx: center, r: !circled ? 0 : this.isNew(j) && !short ? 18 : radius });
        say(column.name, named ? name : "");
        put(column.name, {
          x: center, y: ROWS.unit + (turns && named ? (j % 2 ? 8 : -8) : 0),
          class: `n2n-name${circled ? "" : j === this.seen ? " n2n-alone n2n-seen" : " n2n-alone"}`,
          style: name.length > 5 ? "font-size: 9px" : name.length > 3 ? "font-size: 10px" : slot < 34 ? "font-size: 12px" : "",
        });
      });
    }

    picture() {
      const { width, way } = this.state;
      const how = { equal: "equal shares", random: "unequal shares", undivided: "whole weights", randompad: "random weights" }[way];
      const units = width === this.n ? `${width} hidden units` : `${width} hidden units, ${width - this.n} of them new, with ${how}`;
      return `Network from input x to output y over ${units}. Each unit is a column: weight in, bias, share, weight out.`;
    }
  }

  if (!customElements.get("net2net-widen")) customElements.define("net2net-widen", Widen);
}
