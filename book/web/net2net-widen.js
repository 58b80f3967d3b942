/* <net2net-widen teacher='{"w1", "b1", "w2", "b2", "activation"}' width="8" seed="0" ...>

   A small network from one number to one or two, whose hidden layer is widened by hand. Every unit is one column, in
   the order of the data from below: weight in, bias, unit, share, weights out. helpers/show/explore writes the element
   and is its other face; state and meaning are those of `helpers.show.explore.Widen`. With the attribute `play` it grows once
   by itself, unit by unit, until a hand comes or where motion is not wanted. */

{
  const { range } = Net2Net;
  const { make, put, say, number, names } = Net2NetElement;

  // The first four by the names of `split` in Python.
  const WAYS = {
    noise: "Noise that cancels", equal: "Equal shares", random: "Unequal shares", weights: "One share a weight",
    undivided: "Not divided", randompad: "Random padding",
  };
  const PARTED = ["noise", "weights"];  // each weight by itself, and no share for a whole unit
  const X = range(201).map((i) => (i === 200 ? 1 : -1 + i * 0.01));
  // Where things stand from above, in pixels: the outputs, their edges, and so on down to the input.
  const ROWS = { y: 16, out: 78, share: 142, unit: 217, into: 240, bias: 264, x: 350, height: 366 };
  const CELL = 24, BAR = 42, HIGH = 216, ROOM = 0.5;
  const OVER = 0.22;  // how far a bar is drawn beyond 0 and 1, in shares
  const FAN = { height: 130, arm: 50 };
  const TOP = 26;  // of the axes; the legend stands above
  const FINGER = 24;  // the least width, in pixels, that a finger can be asked to hit
  const PAUSE = 700;  // milliseconds between the steps of a growth that plays by itself
  const KEPT = "✓ zero up to rounding: the same function";

  class Widen extends Net2NetElement {
    static title = "Widen a network by hand";
    static defaults = {
      teacher: null, width: 0, seed: 0, way: "noise", noise: 0, mapping: [], parts: [], unit: -1,
    };

    // -------------------------------------------------------------- state

    get n() { return this.state.teacher.b1.length; }

    get outputs() { return this.state.teacher.b2.length; }

    /* The name of an output. */
    y(l) { return this.outputs > 1 ? `y${"₁₂"[l]}` : "y"; }

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
        const scale = (ends) => Math.sqrt(2 / ends) / Net2Net.PAD_STDDEV;
        const padded = (ends) => (value, j) => (j < n ? value : value * scale(ends));
        return {
          w1: u1.map((row) => row.slice(0, width).map(padded(1 + n))), b1: c1.slice(0, width),
          w2: u2.slice(0, width).map((row, j) => row.map((value) => padded(n + this.outputs)(value, j))), shares: [],
        };
      }
      let shares = mapping.map(() => 1);
      if (way === "equal") shares = Net2Net.copyShares(mapping);
      if (way === "random")
        shares = parts.length ? Net2Net.sharesOf(mapping, parts) : Net2Net.copyShares(mapping, "random", seed);
      const u1 = Net2Net.placeOutputs(w1, mapping);
      return {
        w1: noise ? Net2Net.addNoise(u1, n, noise, new Net2Net.Rng(seed)) : u1, b1: Net2Net.placeOutputs(b1, mapping),
        w2: PARTED.includes(way) ? Net2Net.placeParted(w2, mapping, way, seed) : Net2Net.placeInputs(w2, mapping, shares),
        shares: PARTED.includes(way) ? [] : shares,
      };
    }

    /* The values over X of each output of a network with these weights. */
    values({ w1, b1, w2 }) {
      const { activation, b2 } = this.state.teacher, phi = Net2Net.activations[activation];
      const hidden = X.map((x) => b1.map((b, j) => phi(x * w1[0][j] + b)));
      return b2.map((start, l) => hidden.map((h) => h.reduce((sum, value, j) => sum + value * w2[j][l], 0) + start));
    }

    /* What unit j adds to each output. */
    adds({ w1, b1, w2 }, j) {
      const phi = Net2Net.activations[this.state.teacher.activation];
      return w2[j].map((weight) => X.map((x) => phi(x * w1[0][j] + b1[j]) * weight));
    }

    /* The units that copy what unit j copies, itself among them. */
    group(j) {
      const { mapping } = this.state;
      return range(mapping.length).filter((i) => mapping[i] === mapping[j] && !this.isNew(i));
    }

    /* The smallest cosine between what comes back to two copies of unit j in training, and whether it is the same; what
       `Widen.cosine` and `Widen.gradients` are in Python. */
    parting(j) {
      const gradients = this.isNew(j) ? [] : this.group(j).map((i) =>
        X.map((_, x) => this.student.w2[i].reduce((sum, weight, l) => sum + weight * this.new[l][x], 0) / X.length));
      const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
      const lengths = gradients.map((one) => Math.sqrt(dot(one, one)));
      if (this.state.way === "randompad" || gradients.length < 2 || lengths.includes(0)) return {};
      let cosine = Infinity;
      gradients.forEach((one, a) => gradients.slice(0, a).forEach((other, b) => {
        cosine = Math.min(cosine, dot(one, other) / (lengths[a] * lengths[b]));
      }));
      const near = (gap) => gap < 1e-12, longest = Math.max(...lengths);
      const words = !near(1 - Math.abs(cosine)) ? "not parallel" : cosine < 0 ? "opposite"
        : near(1 - Math.min(...lengths) / longest) ? "equal" : "parallel";
      return { cosine, words };
    }

    isNew(j) { return this.state.way === "randompad" && j >= this.n; }

    /* Give unit j this share; the other copies give way, in proportion, and the sum stays one. */
    giveShare(j, share) {
      const { mapping, way, parts } = this.state;
      const group = this.group(j);
      if (!this.mayShare(j)) return;
      // Where weights are divided one by one, the hand begins at equal shares.
      const shares = PARTED.includes(way) ? Net2Net.copyShares(mapping) : this.student.shares, others = 1 - shares[j];
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
      const k = mapping[unit], group = this.group(unit);
      const list = (words) => (words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
      const was = teacher.w2[k].map((weight) => number(weight)), whole = this.outputs > 1 ? "weights" : "weight";
      const many = group.length > (this.outputs > 1 ? 3 : 4);
      let text = "seed" in news ? "New mapping. " : "";
      const letter = String.fromCharCode(97 + (k % 26));
      if (width === this.n) text += "No copies yet: the student is the teacher.";
      else if (this.isNew(unit)) text += `Unit ${unit + 1} (${this.name(unit)}) has random weights and copies nothing.`;
      else if (way === "randompad") text += `Unit ${letter} keeps its ${whole} ${list(was)}.`;
      else if (group.length === 1) text += `Unit ${k + 1} (${letter}) has no copy and keeps its ${whole} ${list(was)}.`;
      else {
        const to = many ? `${group.length - 1} units` : `${group.length > 2 ? "units" : "unit"} ${list(group.slice(1).map((j) => j + 1))}`;
        const become = (l) => (many ? `${group.length} parts` : list(group.map((j) => number(this.student.w2[j][l]))));
        text += `Unit ${k + 1} (${letter}) is copied to ${to}${this.outputs > 1 ? ". " : "; "}`;
        if (way === "undivided") text += `${this.outputs > 1 ? `Its weights ${list(was)} are` : `${was} is`} kept ${group.length} times.`;
        else if (this.outputs > 1 && many) text += `Its weights ${list(was)} become ${group.length} parts each.`;
        else if (this.outputs > 1) text += `${was.map((one, l) => `${l ? "to" : "To"} ${this.y(l)}, ${one} becomes ${become(l)}`).join("; ")}.`;
        else text += `${was} becomes ${become(0)}.`;
        const { words } = this.parting(unit);
        if (words && this.outputs > 1) text += ` Their gradients are ${words}.`;
      }
      if (noise && way !== "randompad" && width > this.n) text += " Noise has changed the copies.";
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
      // With one output, one share a unit is one share a weight, and the gradients of copies are parallel whatever the way.
      const several = this.outputs > 1;
      const ways = Object.fromEntries(Object.entries(WAYS).filter(([way]) => several || way !== "weights"));
      this.ways = this.choice("New units get", ways, (way) => moved({ way, parts: [] }));
      this.noise_ = this.slider("Noise on weights in", { min: 0, max: 1, step: 0.05 }, (noise) => moved({ noise }));
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
      this.cosine_ = make("strong", { class: "n2n-cosine" });
      this.parted = make("span", { class: "n2n-parted" });
      const parting = make("div", { class: "n2n-reading n2n-parting" },
        make("div", { class: "n2n-label" }, "cosine of copies’ gradients"), make("div", {}, this.cosine_, this.parted));

      this.plot = make("svg", { class: "n2n-plot", role: "img", height: HIGH });
      this.net = make("svg", { class: "n2n-net", role: "img", height: ROWS.height });
      this.fan = make("svg", { class: "n2n-fan", role: "img", height: FAN.height });
      this.buildPlot();
      this.buildFan();
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
        make("div", { class: "n2n-views" }, make("div", { class: "n2n-news" }, reading, ...(several ? [parting] : []), this.says), this.plot,
          this.equation, ...(several ? [this.fan] : [])),
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
      this.ynames = [0, 1].map(() => make("text", { class: "n2n-name", "text-anchor": "middle" }));
      this.plot.append(make("g", {}, ...this.ynames));
    }

    /* A unit's weights out as arrows, those to the first output rightward, those to the second upward. */
    buildFan() {
      this.crosses = [0, 1].map(() => make("line", { class: "n2n-axis" }));
      this.whole = make("path", { class: "n2n-whole", fill: "none" });
      this.arrows = make("g");
      this.fanWords = range(5).map(() => make("text", {}));
      this.fanKeys = ["n2n-whole", "n2n-arrow"].map((name) => make("path", { class: name }));
      this.fan.append(...this.crosses, this.whole, this.arrows, ...this.fanWords, ...this.fanKeys);
    }

    /* Columns for 4n units, made once for a teacher; only what changes is touched later. */
    buildNet() {
      if (this.columns?.length === 4 * this.n && this.ends.length === this.outputs + 1) return;
      this.net.replaceChildren();
      this.gutter = [...range(this.outputs).map((l) => `to ${this.y(l)}`), "share", "unit", "W₁", "bias"].map((words) => make("text", { class: "n2n-gutter", x: 0 }, words));
      const lit = make("g"), edges = make("g"), front = make("g");
      this.columns = range(4 * this.n).map(() => {
        const cell = (name) => [make("rect", { class: `n2n-cell ${name}`, height: CELL }), make("text", { class: "n2n-value" })];
        const column = {
          lit: make("rect", { class: "n2n-lit", y: ROWS.out - 4, height: ROWS.bias + CELL + 8 - ROWS.out, rx: 5 }),
          up: range(this.outputs).map(() => make("line", { class: "n2n-edge" })), down: make("line", { class: "n2n-edge" }),
          stem: make("line", { class: "n2n-stem" }),
          out: range(this.outputs).map(() => cell("n2n-out")), into: cell("n2n-into"), bias: cell("n2n-bias"),
          track: make("rect", { class: "n2n-track", y: ROWS.share, height: BAR, rx: 2 }),
          bars: range(this.outputs).map(() => make("rect", { class: "n2n-bar", rx: 2 })),
          part: make("text", { class: "n2n-value" }),
          circle: make("circle", { class: "n2n-unit", cy: ROWS.unit }),
          name: make("text", { class: "n2n-name", y: ROWS.unit }),
        };
        column.all = make("g", {}, column.stem, ...column.out.flat(), column.track, ...column.bars, column.part, ...column.into,
          ...column.bias, column.circle, column.name);
        lit.append(column.lit);
        edges.append(...column.up, column.down);
        front.append(column.all);
        return column;
      });
      const end = (name, y) => [make("rect", { class: "n2n-end", width: 30, height: 30, rx: 6, y: y - 15 }),
        make("text", { class: "n2n-name", y }, name)];
      this.ends = [...range(this.outputs).map((l) => end(this.y(l), ROWS.y)), end("x", ROWS.x)];
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

    mayShare(j) { return !["undivided", "randompad"].includes(this.state.way) && this.counts[this.state.mapping[j]] > 1; }

    /* Which part of its teacher unit's weight to each output unit j carries; one number if it is the same for all. */
    portions(j) {
      const { way, mapping, teacher } = this.state;
      if (this.isNew(j)) return [];
      if (!PARTED.includes(way)) return [this.student.shares[j] ?? 1];
      return this.student.w2[j].map((weight, l) => weight / teacher.w2[mapping[j]][l]);
    }

    // -------------------------------------------------------------- drawing

    render() {
      if (!this.state.teacher) return;
      this.buildNet();
      const { teacher, width, mapping } = this.state;
      this.student = this.widen();
      this.counts = Net2Net.replicationCounts(mapping);
      this.old = this.values(teacher);
      this.new = this.values(this.student);
      this.gap = Net2Net.largestGap(this.old.flat(), this.new.flat());
      this.kept = Net2NetElement.kept(this.gap, this.old.flat());
      this.seen = this.looked !== undefined && this.looked < width ? this.looked : this.state.unit;
      this.renderControls();
      this.renderPlot();
      this.renderReading();
      this.renderFan();
      this.renderNet();
    }

    color(j) { return this.isNew(j) ? "var(--n2n-u7)" : `var(--n2n-u${this.state.mapping[j] % 7})`; }

    name(j) { return this.isNew(j) ? `new ${j - this.n + 1}` : names(this.state.mapping)[j]; }

    renderControls() {
      const { width, way, noise, unit, mapping } = this.state, n = this.n;
      this.slide(this.width_, { min: n, max: 4 * n }, width, width === n ? `${n}` : `${n} → ${width}`, `${width}, from ${n}`);
      this.slide(this.noise_, {}, noise, noise ? `± ${Math.round(100 * noise)} %` : "none");
      this.noise_.input.disabled = way === "randompad";
      this.slide(this.unit_, { min: 1, max: width }, unit + 1, `${unit + 1}: ${this.name(unit)}`,
        `${unit + 1}, ${this.isNew(unit) ? this.name(unit) : this.spoken(unit)}`);
      const may = this.mayShare(unit), portions = this.portions(unit).map((part) => number(part));
      const share = this.student.shares[unit] ?? 1 / this.counts[mapping[unit]];
      const spoken = portions.length > 1 ? portions.map((part, l) => `${part} to ${this.y(l)}`).join(", ") : portions[0] ?? "none";
      this.slide(this.share_, {}, may ? Math.round(100 * share) / 100 : 0.98, portions.join(" and ") || "–", spoken);
      this.share_.input.disabled = !may;
      for (const [value, input] of Object.entries(this.ways.inputs)) input.checked = value === way;
    }

    renderPlot() {
      const wide = Math.max(this.widthOf(this.plot), 200), high = HIGH;
      const all = this.old.flat(), low = Math.min(...all), top = Math.max(...all), room = ROOM * (top - low || 1);
      const px = (i) => (i / 200) * (wide - 12) + 6;
      const py = (y) => TOP + ((top + room - y) / (top - low + 2 * room)) * (high - TOP - 6);
      const path = (outputs) => outputs.map((ys) => Net2NetElement.path(ys, px, py)).join("");
      put(this.frame, { width: wide });
      put(this.axes[0], { x1: 6, x2: wide - 6, y1: py(0), y2: py(0) });
      put(this.axes[1], { x1: px(100), x2: px(100), y1: TOP, y2: high - 6 });
      put(this.curves[0], { d: path(this.old) });
      put(this.curves[1], { d: path(this.adds(this.student, this.seen)), style: `stroke: ${this.color(this.seen)}` });
      put(this.curves[2], { d: path(this.new), class: this.kept ? "n2n-new" : "n2n-new n2n-off" });
      // Two outputs are named where they are farthest apart, outside of both.
      const [one, other] = this.old, apart = other ? one.map((y, i) => Math.abs(y - other[i])) : [0];
      const far = apart.indexOf(Math.max(...apart));
      this.ynames.forEach((text, l) => {
        say(text, other ? this.y(l) : "");
        if (other) put(text, { x: px(far), y: py(this.old[l][far]) + (this.old[l][far] < this.old[1 - l][far] ? 22 : -12) });
      });
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
        "aria-label": `${this.outputs > 1 ? "Two outputs" : "Output"} over the input from −1 to 1. ${this.kept
          ? "The student's curve lies on the teacher's." : "The student's curve leaves the teacher's."}`,
      });
    }

    renderReading() {
      const { mapping, way, noise, teacher } = this.state, j = this.seen, k = mapping[j];
      say(this.gap_, this.gap === 0 ? "0" : number(this.gap, 3));
      say(this.verdict, this.kept ? KEPT : "✗ another function");
      put(this.verdict, { class: this.kept ? "n2n-verdict" : "n2n-verdict n2n-off" });
      const group = this.isNew(j) ? [j] : this.group(j);
      const letter = this.isNew(j) ? this.name(j) : String.fromCharCode(97 + (k % 26));
      const lines = range(this.outputs).map((l) => {
        const out = group.map((i) => this.student.w2[i][l]), terms = out.map((weight) => number(weight));
        const shown = terms.length > 4 ? [...terms.slice(0, 3), "…", terms.at(-1)] : terms;
        const sum = number(out.reduce((total, weight) => total + weight, 0)), was = number(teacher.w2[k][l]);
        const plus = shown.join(" + ").replaceAll("+ −", "− ");
        const formula = this.isNew(j) ? `${terms} · ${letter}, and nothing before`
          : group.length < 2 ? `${was} · ${letter}, as before` : `${was} · ${letter} ${sum === was ? "=" : "≠"} (${plus}) · ${letter}`;
        return make("div", {}, make("span", { class: "n2n-who" }, this.y(l)), make("span", {}, formula));
      });
      const differ = noise && way !== "randompad" && group.length > 1 ? "; its copies differ" : "";
      const get = this.outputs > 1 ? "the outputs get" : "the output gets";
      this.equation.replaceChildren(make("div", { class: "n2n-label" }, `What ${get} of ${letter}${differ}`), ...lines);
      const { cosine, words } = this.parting(j);
      this.cosine = cosine;
      say(this.cosine_, cosine === undefined ? "–" : number(cosine, 3));
      say(this.parted, words ?? "no copies");
    }

    renderFan() {
      const { teacher, mapping } = this.state, j = this.seen, k = mapping[j], color = this.color(j);
      const wide = Math.max(this.widthOf(this.fan), 160), x = wide / 2, y = FAN.height / 2 + 6, { arm } = FAN;
      const group = this.isNew(j) ? [j] : this.group(j), name = this.isNew(j) ? this.name(j) : names(mapping)[k];
      const weights = group.map((i) => this.student.w2[i]), was = this.isNew(j) ? [] : [teacher.w2[k]];
      const unit = arm / (Math.max(...[...weights, ...was].flat().map(Math.abs)) || 1);
      const tip = ([right, up = 0]) => [x + right * unit, y - up * unit];
      put(this.fan, { viewBox: `0 0 ${wide} ${FAN.height}`, "aria-label":
        `The weights out of ${name} as arrows${this.cosine === undefined ? "" : `; the copies' arrows are ${this.parting(j).words}`}.` });
      put(this.crosses[0], { x1: x - arm - 8, x2: x + arm + 8, y1: y, y2: y });
      put(this.crosses[1], { x1: x, x2: x, y1: y - arm - 4, y2: y + arm + 4, visibility: this.outputs > 1 ? "visible" : "hidden" });
      put(this.whole, { d: was.map((one) => `M${x} ${y}L${tip(one).join(" ")}`).join(), style: `stroke: ${color}` });
      const arrow = (one, i) => {
        const [right, up] = tip(one), turn = Math.atan2(up - y, right - x), long = Math.hypot(right - x, up - y);
        const wing = (side) => `${right - 7 * Math.cos(turn + side)} ${up - 7 * Math.sin(turn + side)}`;
        const style = `stroke: ${color}${group[i] >= this.n ? "; stroke-dasharray: 5 3" : ""}`;
        return [make("path", { class: "n2n-arrow", fill: "none", d: `M${x} ${y}L${right} ${up}`, style }),
          make("path", { class: "n2n-arrow", fill: "none", style: `stroke: ${color}`,
            d: long > 4 ? `M${wing(0.5)}L${right} ${up}L${wing(-0.5)}` : "" })];
      };
      this.arrows.replaceChildren(...weights.flatMap(arrow));
      const [title, right, up, key, other] = this.fanWords;
      say(title, `weights out of ${name}`);
      put(title, { x: 0, y: 12 });
      say(right, `to ${this.y(0)}`);
      put(right, { class: "n2n-tick", x: x + arm + 12, y: y + 4 });
      say(up, this.outputs > 1 ? `to ${this.y(1)}` : "");
      put(up, { class: "n2n-tick", x: x + 5, y: y - arm + 4 });
      put(this.fanKeys[0], { d: was.length ? `M4 ${FAN.height - 26}h18` : "", style: `stroke: ${color}` });
      put(this.fanKeys[1], { d: `M2 ${FAN.height - 8}h22`, style: `stroke: ${color}` });
      say(key, was.length ? "teacher" : "");
      put(key, { class: "n2n-tick", x: 30, y: FAN.height - 22 });
      say(other, "student");
      put(other, { class: "n2n-tick", x: 30, y: FAN.height - 4 });
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
      const top = (l) => ROWS.out + l * CELL + (this.outputs > 1 ? 0 : CELL / 2);

      put(this.net, { viewBox: `0 0 ${wide} ${ROWS.height}`, "aria-label": this.picture() });
      this.gutter.forEach((text, i) => put(text, {
        y: [...range(this.outputs).map((l) => top(l) + CELL / 2), ROWS.share + BAR / 2, ROWS.unit, ROWS.into + CELL / 2,
          ROWS.bias + CELL / 2][i],
      }));
      const ends = [...range(this.outputs).map((l) => gutter + (slot * width * (l + 1)) / (this.outputs + 1)), middle];
      this.ends.forEach(([box, text], i) => { put(box, { x: ends[i] - 15 }); put(text, { x: ends[i] }); });

      const cell = ([rect, text], x, y, value, biggest) => {
        put(rect, { x: x + (slot - cellWide) / 2, y, width: cellWide, style:
          `fill: var(--n2n-${value < 0 ? "neg" : "pos"}); fill-opacity: ${(0.08 + 0.62 * Math.min(Math.abs(value) / biggest, 1)).toFixed(3)}` });
        say(text, numbers ? number(value) : value < 0 && slot >= 7 ? "−" : "");
        put(text, { x: x + slot / 2, y: y + CELL / 2 });
      };
      this.columns.forEach((column, j) => {
        const x = gutter + j * slot, center = x + slot / 2, there = j < width;
        put(column.all, { class: there ? "n2n-there" : "n2n-free" });
        for (const edge of [...column.up, column.down]) put(edge, { visibility: there ? "visible" : "hidden" });
        if (!there) {
          put(column.lit, { visibility: "hidden" });
          return;
        }
        const color = this.color(j), same = this.isNew(j) ? j === this.seen : mapping[j] === k && k >= 0;
        const into = this.student.w1[0][j], out = this.student.w2[j], bias = this.student.b1[j];
        const edge = (line, weight, biggest, at) => put(line, {
          ...at, style: `stroke: ${color}; stroke-width: ${(0.7 + 4.3 * Math.min(Math.abs(weight) / biggest, 1)).toFixed(2)}`,
          class: `n2n-edge${weight < 0 ? " n2n-minus" : ""}${same ? " n2n-same" : ""}`,
        });
        column.up.forEach((line, l) => edge(line, out[l], most.out, { x1: center, y1: top(0), x2: ends[l], y2: ROWS.y + 15 }));
        edge(column.down, into, most.into, { x1: middle, y1: ROWS.x - 15, x2: center, y2: ROWS.bias + CELL });
        put(column.stem, { x1: center, x2: center, y1: ROWS.share + BAR, y2: ROWS.into, style: `stroke: ${color}` });
        put(column.lit, { x, width: slot, visibility: same ? "visible" : "hidden", style: `fill: ${color}` });
        column.out.forEach((one, l) => cell(one, x, top(l), out[l], most.out));
        cell(column.into, x, ROWS.into, into, most.into);
        cell(column.bias, x, ROWS.bias, bias, most.into);
        const portions = this.portions(j), bar = Math.min(FINGER, 0.6 * slot), drag = this.mayShare(j) ? " n2n-drag" : "";
        put(column.track, { x: center - bar / 2, width: bar, class: `n2n-track${drag}`, visibility: this.isNew(j) ? "hidden" : "inherit" });
        column.bars.forEach((rect, l) => {
          // To zero no part can be said of a weight that is zero.
          const part = Number.isFinite(portions[l]) ? Math.min(Math.max(portions[l], -OVER), 1 + OVER) : 0;
          const wide = bar / (portions.length || 1);
          put(rect, { x: center - bar / 2 + l * wide, width: wide, y: ROWS.share + BAR * (1 - Math.max(part, 0)),
            height: BAR * Math.abs(part), style: `fill: ${color}`, class: `n2n-bar${drag}` });
        });
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
      const how = {
        noise: "noise that cancels", equal: "equal shares", random: "unequal shares", weights: "one share for each weight",
        undivided: "whole weights", randompad: "random weights",
      }[way];
      const units = width === this.n ? `${width} hidden units` : `${width} hidden units, ${width - this.n} of them new, with ${how}`;
      const outputs = range(this.outputs).map((l) => this.y(l)).join(" and ");
      return `Network from input x to ${outputs} over ${units}. Each unit is a column: weight in, bias, share, weights out.`;
    }
  }

  if (!customElements.get("net2net-widen")) customElements.define("net2net-widen", Widen);
}
