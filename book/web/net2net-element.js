/* What the explorables share: state that attributes, Python and hands can set, and the means to draw it.

   A subclass says what its `defaults` are (they are also its attributes, as JSON or plain words), and writes `settle`,
   `build` and `render`. The markup between its tags is its static picture: it stands where no script runs, and in
   print. */

globalThis.Net2NetElement ??= class extends HTMLElement {
  static defaults = {};
  static made = 0;

  /* Make an element with attributes and children; names that SVG knows are made as SVG. */
  static make(name, attributes = {}, ...children) {
    const SVG = /^(svg|g|path|line|circle|rect|text|tspan|title|defs|clipPath|pattern|use)$/;
    const node = SVG.test(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  /* Set attributes, but only those that change: a page that stands still costs nothing. */
  static put(node, attributes) {
    for (const [key, value] of Object.entries(attributes)) {
      const text = String(value);
      if (node.getAttribute(key) !== text) node.setAttribute(key, text);
    }
  }

  static say(node, text) { if (node.textContent !== text) node.textContent = text; }

  /* A number for reading: two decimals, a true minus, powers of ten where it is tiny. */
  static number(value, digits = 2) {
    const size = Math.abs(value);
    if (size !== 0 && size < 0.5 * 10 ** -digits) {
      const [mantissa, exponent] = value.toExponential(1).split("e");
      const raised = [...String(Number(exponent))].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
      return `${mantissa.replace("-", "−")} × 10${raised}`;
    }
    return value.toFixed(digits).replace("-", "−");
  }

  /* The path through points, each given by its place along x and its value y. */
  static path(ys, px, py) {
    const cut = (y) => Math.round(Math.min(Math.max(y, -999), 999) * 100) / 100;
    return `M${ys.map((y, i) => `${cut(px(i))} ${cut(py(y))}`).join("L")}`;
  }

  /* Letters at the ends of curves, moved apart where they would overlap, and none below the floor. */
  static spread(ends, floor, gap = 13) {
    const near = (a, b) => Math.abs(a.x - b.x) < 14;
    ends.sort((a, b) => a.y - b.y);
    ends.forEach((end, i) => {
      for (const above of ends.slice(0, i)) if (near(above, end)) end.y = Math.max(end.y, above.y + gap);
    });
    ends.reverse().forEach((end, i) => {
      end.y = Math.min(end.y, floor);
      for (const below of ends.slice(0, i)) if (near(below, end)) end.y = Math.min(end.y, below.y - gap);
    });
    for (const { text, x, y, color } of ends) Net2NetElement.put(text, { x, y, style: `fill: ${color}` });
  }

  /* a, b, c for the teacher's units; a′, a″ for copies; past three, a⁴ and so on. */
  static names(mapping) {
    const seen = {};
    return mapping.map((k) => {
      const copy = seen[k] = (seen[k] ?? -1) + 1;
      const mark = copy < 4 ? ["", "′", "″", "‴"][copy] : [...String(copy)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]).join("");
      return String.fromCharCode(97 + (k % 26)) + mark;
    });
  }

  /* The two faces' bridge: an anywidget whose traits are the element's state. */
  static widget(tag) {
    return {
      render({ model, el }) {
        const element = document.createElement(tag);
        const names = Object.keys(element.constructor.defaults);
        let giving = false;  // a model tells also what was set here, one by one and so half a state
        const take = () => {
          if (!giving) element.set(Object.fromEntries(names.map((name) => [name, model.get(name)])));
        };
        take();
        const give = ({ detail }) => {
          giving = true;
          for (const [name, value] of Object.entries(detail)) model.set(name, value);
          giving = false;
          model.save_changes();
        };
        element.addEventListener("net2net-moved", give);
        for (const name of names) model.on(`change:${name}`, take);
        // Keys belong to the control that has the focus, not to the notebook's shortcuts; JupyterLab asks for the mark.
        element.dataset.lmSuppressShortcuts = "true";
        element.addEventListener("keydown", (event) => event.stopPropagation());
        el.append(element);
        return () => { for (const name of names) model.off(`change:${name}`, take); };
      },
    };
  }

  constructor() {
    super();
    this.state = { ...this.constructor.defaults };
    this.measured = new Map();
    this.watch = new ResizeObserver((resized) => {
      for (const { target } of resized) this.measured.set(target, target.clientWidth);
      if (this.live) this.render();
      else this.begin();
    });
    this.id_ = `n2n-${Net2NetElement.made++}`;
  }

  connectedCallback() {
    if (!this.begun) {
      const given = {};
      for (const name of Object.keys(this.state)) {
        if (!this.hasAttribute(name)) continue;
        const text = this.getAttribute(name);
        try { given[name] = JSON.parse(text); } catch { given[name] = text; }
      }
      this.set(given, { quiet: true });
      this.begun = structuredClone(this.state);
    }
    this.watch.observe(this);
  }

  /* Put the live picture in place of the still one, once the element is laid out: a browser skips what is far below. */
  begin() {
    const still = Net2NetElement.make("div", { class: "n2n-still" }, ...this.childNodes);
    this.live = Net2NetElement.make("div", { class: "n2n-live", role: "group", "aria-label": this.constructor.title });
    this.says = Net2NetElement.make("p", { class: "n2n-says", role: "status", "aria-live": "polite" });
    this.build(this.live);
    if (!this.says.parentNode) this.live.append(this.says);
    this.append(still, this.live);
    this.set({}, { quiet: true });
  }

  disconnectedCallback() {
    this.watch.disconnect();
    this.measured.clear();
    clearTimeout(this.saying);
    if (this.live) this.says.textContent = this.describe({});
  }

  /* How wide a part of the element is, 0 until that is known. Asking the part would have the page laid out each time. */
  widthOf(part) {
    if (!this.measured.has(part)) {  // to observe it again would be to be told again
      this.measured.set(part, 0);
      this.watch.observe(part);
    }
    return this.measured.get(part);
  }

  /* Change the state. What was moved by hand is told to the outside: an event with all that changed. */
  set(changes, { byHand = false, quiet = false } = {}) {
    const before = this.state;
    const same = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);
    const changed = Object.fromEntries(
      Object.entries(changes).filter(([name, value]) => value !== undefined && !same(value, before[name])));
    this.state = this.settle({ ...before, ...changed }, changed, changes);
    if (!this.live) return;
    this.render();
    const news = Object.entries(this.state).filter(([name, value]) => !same(value, before[name]));
    if (byHand && news.length)
      this.dispatchEvent(new CustomEvent("net2net-moved", { detail: Object.fromEntries(news), bubbles: true }));
    this.announce(this.describe(quiet ? {} : Object.fromEntries(news)), quiet);
  }

  /* Whether the student's function is the teacher's, up to rounding. */
  static kept(gap, old) { return gap <= 1e3 * Number.EPSILON * Math.max(...old.map(Math.abs)); }

  restart() { this.set(this.begun, { byHand: true }); }

  /* Say it below the views at once, and to a screen reader when the hand rests. */
  announce(text, quiet) {
    clearTimeout(this.saying);
    if (quiet) this.says.textContent = text;
    else this.saying = setTimeout(() => Net2NetElement.say(this.says, text), 150);
  }

  /* A labeled slider; `moved` gets its number. */
  slider(label, { min, max, step }, moved, className = "") {
    const { make } = Net2NetElement;
    const id = `${this.id_}-${label.toLowerCase().replace(/\W+/g, "-")}`;
    const input = make("input", { type: "range", id, min, max, step });
    const output = make("output", { for: id });
    const name = make("label", { for: id }, label);
    input.addEventListener("input", () => moved(Number(input.value)));
    return { box: make("div", { class: `n2n-slider ${className}` }, name, output, input), input, output, name };
  }

  /* Radio buttons side by side; `moved` gets the value chosen. `options` holds words, or nodes to show. */
  choice(legend, options, moved, className = "") {
    const { make } = Net2NetElement;
    const name = `${this.id_}-${legend.toLowerCase().replace(/\W+/g, "-")}`;
    const inputs = {};
    const labels = Object.entries(options).map(([value, words]) => {
      inputs[value] = make("input", { type: "radio", name, value });
      inputs[value].addEventListener("change", () => moved(value));
      return make("label", {}, inputs[value], make("span", {}, ...[words].flat()));
    });
    const box = make("fieldset", { class: `n2n-choice ${className}` }, make("legend", {}, legend), make("div", {}, ...labels));
    return { box, inputs };
  }

  slide({ input, output }, limits, value, words, spoken = words) {
    Net2NetElement.put(input, { ...limits, "aria-valuetext": spoken });
    if (input.value !== String(value)) input.value = value;
    Net2NetElement.say(output, words);
  }

  button(label, pressed) {
    const node = Net2NetElement.make("button", { type: "button" }, label);
    node.addEventListener("click", pressed);
    return node;
  }
};
