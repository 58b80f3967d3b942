/* Looking into one of the lab's networks: a digit that is picked or drawn, and what each unit makes of it. */

Net2NetLab.Inside ??= (() => {
  const { range } = Net2Net;
  const { make, put, say } = Net2NetElement;
  const { MOST_LAYERS, MOST_UNITS } = Net2NetLab;
  const HIGH = 262;

  class Inside {
    digit = 0;                 // which validation digit is shown; -1 for a drawn one
    ink = new Uint8Array(784);

    constructor(lab) { this.lab = lab; }

    build() {
      this.pad = make("canvas", {
        class: "n2n-lab-pad", width: 28, height: 28, role: "application",
        "aria-label": "A digit. Draw with the pointer, or move with the arrow keys, hold Shift or press Space for ink, and Delete to clear.",
      });
      this.paint = this.pad.getContext("2d");
      this.pad.addEventListener("pointerdown", (event) => {
        if (!this.looking) return;
        this.pad.setPointerCapture(event.pointerId);
        this.pen = undefined;
        this.cursor = undefined;
        this.drawing = true;
        this.stroke(event);
      });
      this.pad.addEventListener("pointermove", (event) => { if (this.drawing) this.stroke(event); });
      for (const end of ["pointerup", "pointercancel"]) this.pad.addEventListener(end, () => this.drew());
      this.pad.addEventListener("keydown", (event) => this.keyed(event));
      this.pad.addEventListener("keyup", (event) => { if (event.key === "Shift" || event.key === " ") this.drew(); });
      this.keys = range(10).map((digit) => this.lab.button(digit, () => this.pick(this.next((d) => this.lab.digits.labels[d] === digit))));
      this.keys.forEach((key, digit) => key.setAttribute("aria-label", `Show a ${digit}`));
      this.mistake = this.lab.button("Next mistake", () => this.pickMistake());
      this.clear = this.lab.button("Clear", () => { this.blank(); this.lab.tell("The pad is clear. Draw a digit."); this.lab.render(); });
      this.svg = make("svg", { class: "n2n-lab-inside", role: "img", height: HIGH });
      this.strips = range(MOST_LAYERS).map(() => ({
        name: make("text", { class: "n2n-gutter" }), base: make("line", { class: "n2n-axis" }),
        bars: range(MOST_UNITS).map(() => make("rect", { rx: 1 })), letters: range(MOST_UNITS).map(() => make("text", { class: "n2n-value" })),
      }));
      this.outputs = range(10).map((digit) => ({
        bar: make("rect", { rx: 2 }), name: make("text", { class: "n2n-lab-digit" }, digit), text: make("text", { class: "n2n-value" }),
      }));
      this.outName = make("text", { class: "n2n-gutter" }, "output");
      this.svg.append(...this.strips.flatMap(({ name, base, bars, letters }) => [name, base, ...bars, ...letters]), this.outName,
        ...this.outputs.flatMap(({ bar, name, text }) => [bar, name, text]));
      this.head = make("p", { class: "n2n-lab-head" });
      return make("div", { class: "n2n-lab-look" }, this.head,
        make("div", { class: "n2n-lab-left" }, this.pad, make("div", { class: "n2n-buttons" }, this.mistake, this.clear)), this.svg,
        make("div", { class: "n2n-lab-keys", role: "group", "aria-label": "Show a digit" }, ...this.keys));
    }

    render(recorded) {
      const { digits } = this.lab, there = this.looking, run = there ? this.lab.run : recorded;
      for (const control of [...this.keys, this.mistake, this.clear]) control.disabled = !there;
      put(this.pad, { tabindex: there ? 0 : -1, "aria-disabled": !there });
      this.looked = there ? { ...this.lookInto(run.net), origins: run.origins } : run?.look;
      if (!there && run) this.ink.set([...run.look.digit].map(Number));
      this.renderPad();
      const known = !there || this.digit >= 0;
      const label = !known ? undefined : there ? digits.labels[digits.train + this.digit] : run?.look.label;
      this.keys.forEach((key, digit) => put(key, { "aria-pressed": there && digit === label }));
      const answer = this.looked ? this.seenAs() : undefined;
      say(this.head, run ? `Inside ${run.letter}: it takes ${label === undefined ? "your drawing" : `this ${label}`} for a ${answer}` : "Inside a network, once there is one");
      const wide = this.lab.widthOf(this.svg) || 480, gutter = 58, high = HIGH, outTop = 166;
      const layers = this.looked?.hidden ?? [], each = (outTop - 8) / Math.max(layers.length, 1);
      this.strips.forEach(({ name, base, bars, letters }, l) => {
        const values = layers[l], on = values !== undefined, floor = l * each + each - 15;
        say(name, on ? (layers.length > 1 ? `hidden ${l + 1}` : "hidden") : "");
        put(name, { x: 0, y: floor - 4 });
        put(base, { visibility: on ? "visible" : "hidden", x1: gutter, x2: wide, y1: floor, y2: floor });
        const slot = on ? (wide - gutter) / values.length : 0, top = on ? Math.max(...values, 1e-9) : 1;
        // Copies stand beside each other, and new units at the end.
        const origins = on ? this.looked.origins[l] : [];
        const order = range(origins.length).sort((a, b) => (origins[a] < 0) - (origins[b] < 0) || origins[a] - origins[b] || a - b);
        bars.forEach((bar, j) => {
          const has = on && j < values.length;
          put(bar, { visibility: has ? "visible" : "hidden" });
          const origin = origins[order[j]];
          // One letter for a unit and its copies.
          const first = has && (j === 0 || origins[order[j - 1]] !== origin);
          say(letters[j], first ? (origin < 0 ? "new" : String.fromCharCode(97 + origin)) : "");
          if (!has) return;
          const tall = (values[order[j]] / top) * (each - 22);
          put(bar, {
            x: (gutter + j * slot + Math.min(2, slot / 6)).toFixed(1), width: (slot - Math.min(4, slot / 3)).toFixed(1), y: (floor - tall).toFixed(1), height: tall.toFixed(1),
            style: `fill: var(--n2n-${origin < 0 ? "none" : `u${origin % 7}`})`,
          });
          if (first) put(letters[j], { x: gutter + (j + origins.filter((k) => k === origin).length / 2) * slot, y: floor + 12 });
        });
      });
      const slot = (wide - gutter) / 10, floor = high - 22;
      put(this.outName, { x: 0, y: floor - 4 });
      this.outputs.forEach(({ bar, name, text }, digit) => {
        const part = this.looked?.scores[digit] ?? 0, tall = part * (floor - outTop - 18);
        put(bar, { x: gutter + digit * slot + 3, width: slot - 6, y: floor - tall, height: tall, style: `fill: var(--n2n-${label !== undefined && digit !== label && digit === answer ? "bad" : "accent"})` });
        put(name, { x: gutter + (digit + 0.5) * slot, y: high - 6, class: digit === answer ? "n2n-lab-digit n2n-lab-answer" : "n2n-lab-digit" });
        say(text, part >= 0.01 ? `${Math.round(100 * part)}` : "");
        put(text, { x: gutter + (digit + 0.5) * slot, y: floor - tall - 4 });
      });
      put(this.svg, {
        viewBox: `0 0 ${wide} ${high}`,
        "aria-label": this.looked ? `Activations of ${run.letter} for ${label === undefined ? "the drawing" : `a ${label}`}: it says ${answer} with ${Math.round(100 * this.looked.scores[answer])} %. Copies of one unit share a color and a letter.` : "Nothing to look into yet.",
      });
    }

    renderPad() {
      const image = this.paint.createImageData(28, 28);
      this.ink.forEach((level, i) => {
        const mark = this.cursor && i === 28 * this.cursor[1] + this.cursor[0];
        image.data.set(mark ? [230, 159, 0, 255] : [0, 1, 2].map((c) => [22, 28, 36][c] + (level / 3) * ([255, 255, 255][c] - [22, 28, 36][c])).concat(255), 4 * i);
      });
      this.paint.putImageData(image, 0, 0);
    }

    /* Values of the hidden units, and the probabilities, for what is on the pad. */
    lookInto(net) {
      const rows = this.rowsOfInk(), logits = Array.from(net.forward(rows, 0, rows.pixels.length)), top = Math.max(...logits);
      const scores = logits.map((v) => Math.exp(v - top)), sum = scores.reduce((a, b) => a + b);
      return { hidden: net.layers.slice(0, -1).map(({ value }) => Array.from(value)), scores: scores.map((v) => v / sum) };
    }

    pick(digit) {
      const { all, train, starts, pixels, levels } = this.lab.digits;
      this.digit = (digit + all - train) % (all - train);
      this.ink.fill(0);
      for (let k = starts[train + this.digit]; k < starts[train + this.digit + 1]; k++) this.ink[pixels[k]] = levels[k];
      this.lab.render();
    }

    /* The next validation digit for which `fits` holds, behind the one that is shown. */
    next(fits) {
      const { train, all } = this.lab.digits, many = all - train;
      return range(many).map((i) => (this.digit + 1 + i) % many).find((d) => fits(train + d));
    }

    /* The next validation digit that the chosen network gets wrong. */
    pickMistake() {
      const { digits, run } = this.lab, { train, labels } = digits;
      const next = this.next((d) => run.net.answer(digits, d) !== labels[d]);
      if (next === undefined) return this.lab.tell(`${run.letter} makes no mistake.`);
      this.pick(next);
      this.lab.tell(`${run.letter} takes this ${labels[train + next]} for a ${this.seenAs()}.`);
    }

    seenAs() {
      const { scores } = this.looked;
      return scores.indexOf(Math.max(...scores));
    }

    blank() {
      this.digit = -1;
      this.ink.fill(0);
    }

    /* Ink around a point of the pad, in pixels of the digit. */
    dot(x, y) {
      if (this.digit >= 0) this.blank();
      for (let i = 0; i < 784; i++) {
        const far = Math.hypot((i % 28) + 0.5 - x, Math.floor(i / 28) + 0.5 - y);
        this.ink[i] = Math.max(this.ink[i], far < 1 ? 3 : far < 1.5 ? 2 : far < 1.9 ? 1 : 0);
      }
      this.lab.render();
    }

    /* Whether there is a network that looks at the pad. */
    get looking() { return Boolean(this.lab.run && this.lab.digits); }

    stroke(event) {
      const box = this.pad.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * 28, y = ((event.clientY - box.top) / box.height) * 28;
      const [fromX, fromY] = this.pen ?? [x, y], steps = Math.ceil(2 * Math.hypot(x - fromX, y - fromY)) || 1;
      for (let s = 1; s <= steps; s++) this.dot(fromX + ((x - fromX) * s) / steps, fromY + ((y - fromY) * s) / steps);
      this.pen = [x, y];
    }

    keyed(event) {
      if (!this.looking) return;
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const [x, y] = this.cursor ?? [14, 14];
      if (move) {
        this.cursor = [Math.min(Math.max(x + move[0], 0), 27), Math.min(Math.max(y + move[1], 0), 27)];
        if (event.shiftKey) this.dot(this.cursor[0] + 0.5, this.cursor[1] + 0.5);
      } else if (event.key === " ") this.dot(x + 0.5, y + 0.5);
      else if (event.key === "Delete" || event.key === "Backspace") this.blank();
      else return;
      event.preventDefault();
      this.lab.render();
    }

    /* What a network gets: a drawn digit with its center of mass in the middle, as MNIST's have; others as they are. */
    rowsOfInk() {
      let mass = 0, x = 0, y = 0;
      this.ink.forEach((level, i) => { mass += level; x += level * (i % 28); y += level * Math.floor(i / 28); });
      const across = this.digit < 0 && mass ? Math.round(13.5 - x / mass) : 0;
      const down = this.digit < 0 && mass ? Math.round(13.5 - y / mass) : 0;
      const pixels = [], levels = [];
      this.ink.forEach((level, i) => {
        const column = (i % 28) + across, row = Math.floor(i / 28) + down;
        if (!level || column < 0 || column > 27 || row < 0 || row > 27) return;
        pixels.push(28 * row + column);
        levels.push(level);
      });
      return { pixels, levels };
    }

    drew() {
      if (!this.drawing && !this.cursor) return;
      this.drawing = false;
      this.pen = undefined;
      if (this.looked && this.digit < 0) this.lab.tell(`${this.lab.run.letter} takes it for a ${this.seenAs()}.`);
    }
  }

  return Inside;
})();
