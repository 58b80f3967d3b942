/* <net2net-network way="text" text="784 → 256 relu → 10" factor="2" examples="60,000 × 60" records='{...}'>

   A reader's own network: which of its layers widen together, what it costs before and after, and where growing paid in
   the book's records. net2net-network-read.js and -ways.js read and count; helpers/show/network.py writes the element. */

{
  const { make, put, say } = Net2NetElement;
  const { Told, read, plan, grouped, fromText, fromFile, fromSummary, code } = globalThis.Net2NetReading;

  const HIGH = 248, TOP = 28, LOW = 46;   // of the picture: room for numbers above the layers and names below
  const MOST = 4;                        // the largest factor
  const PAINTS = ["u0", "u1", "u2", "u3", "u4", "u6"].map((name) => `var(--n2n-${name})`), STILL = "var(--n2n-u7)";
  const WAYS = { text: "Type its layers", file: "Open a .keras file", summary: "Paste its summary" };
  const TYPED = {
    "A dense network": "784 → 256 relu → 128 relu → 10",
    "A ConvNet": "28x28x1 → conv 32 relu → pool → conv 64 relu → pool → flatten → 128 relu → 10",
    "A text model": "100 words of 5,000 → embedding 32 → lstm 64 → 1 sigmoid",
  };
  const RIVALS = {
    scratch: "the same network from scratch",
    "continued teacher": "the continued teacher",
    frontier: "the best size for the budget",
  };
  const SHORT = { wins: "growing wins", level: "level", loses: "growing loses" };
  const COSTS = { parameters: "Parameters", operations: "Multiply-adds for an example", memory: "Memory to train, with Adam" };
  const ASK = "Python reads more: print(helpers.channel_groups(model)), and after widening print(helpers.growth(student)).";

  const times = (factor) => `${Number(factor.toFixed(2))} times`;
  const listed = (words, most = 6, mark = ", ") => words.slice(0, most).join(mark) + (words.length > most ? ` and ${words.length - most} more` : "");

  /* A large number for reading. */
  function big(n) {
    const [unit, words] = [[1e12, " trillion"], [1e9, " billion"], [1e6, " million"]].find(([least]) => n >= least) ?? [1, ""];
    return unit === 1 ? grouped(n) : `${Number((n / unit).toPrecision(3))}${words}`;
  }
  function bytes(n) {
    const power = Math.min(Math.floor(Math.log2(Math.max(n, 1)) / 10), 4);
    return `${Number((n / 1024 ** power).toPrecision(3))} ${["bytes", "KB", "MB", "GB", "TB"][power]}`;
  }

  /* "60,000 × 60" is a product; null where there is no number. */
  function examplesOf(text) {
    const numbers = String(text).toLowerCase().replace(/(\d)[,_](?=\d{3})/g, "$1").match(/\d+(?:\.\d+)?\s*(?:k|m|b)?/g) ?? [];
    return numbers.length ? numbers.reduce((all, one) => all * parseFloat(one) * ({ k: 1e3, m: 1e6, b: 1e9 }[one.at(-1)] ?? 1), 1) : null;
  }

  class Network extends Net2NetElement {
    static title = "My network";
    static defaults = { way: "text", text: TYPED["A dense network"], summary: "", factor: 2, left: [], examples: "60,000 × 60", records: null };

    settle(state) {
      return {
        ...state,
        way: state.way in WAYS ? state.way : "text",
        ...Object.fromEntries(["text", "summary", "examples"].map((name) => [name, String(state[name] ?? "")])),
        factor: Math.min(Math.max(Math.round((Number(state.factor) || 2) * 4) / 4, 1.25), MOST),
        left: Array.isArray(state.left) ? state.left : [],
      };
    }

    // -------------------------------------------------------------- what is read

    /* The network, or why there is none. It is read once for each text and each file. */
    load() {
      const { way, text, summary } = this.state, key = way === "file" ? this.opened : `${way} ${way === "text" ? text : summary}`;
      if (this.key === key && this.found) return;
      this.key = key;
      this.found = {};
      try {
        if (way === "file" && !this.opened) this.found.problem = "Choose a file, and its layers appear here.";
        else if (way === "summary" && !summary.trim()) this.found.problem = "Paste the table, and its layers appear here.";
        else if (this.opened?.problem && way === "file") this.found.problem = this.opened.problem;
        else {
          const model = way === "text" ? fromText(text) : way === "file" ? this.opened.model : fromSummary(summary), net = read(model);
          if (net.unread.length) this.found.problem = `This page cannot read ${listed(net.unread, 6, "; ")}. ${ASK}`;
          else this.found = { model, net };
        }
      } catch (error) {
        if (!(error instanceof Told)) throw error;
        this.found.problem = error.message;
      }
    }

    async open(file) {
      if (!file) return;
      try {
        this.opened = { name: file.name, model: await fromFile(file) };
      } catch (error) {
        if (!(error instanceof Told)) throw error;
        this.opened = { name: file.name, problem: error.message };
      }
      this.set({ way: "file", left: [] }, { byHand: true });
      this.announce(this.describe());
    }

    get plan() {
      const { net } = this.found;
      return net && plan(net, this.state.factor, this.left);
    }

    /* What the reader left out of what could grow here. */
    get left() { return this.state.left.filter((name) => this.found.net?.groups.some((group) => !group.fixed && group.makers[0] === name)); }

    // -------------------------------------------------------------- words

    describe() {
      this.load();
      const { problem, net } = this.found;
      if (problem) return problem;
      const { groups, grows, parameters: [before, after] } = this.plan, free = groups.filter(({ fixed }) => !fixed).length;
      const name = this.state.way === "file" ? `${this.opened.name}: ` : "";
      if (!free) return `${name}Nothing in this network can be widened: each of its widths is tied to its input, its output, or a layer that mixes channels. It can grow deeper: net2deeper_net.`;
      if (!grows) return `${name}Nothing grows this way. Below is why each width stays.`;
      const many = free === 1 ? "1 width" : `${free} widths`;
      return `${name}${net.layers.length - 1} layers, and ${many} that you can choose. The student has ${grouped(after)} parameters, ${times(after / before)} the teacher's ${grouped(before)}, and computes the same function.`;
    }

    /* What the records say about as much training as the reader plans. */
    verdict(after) {
      const { budgets, rivals, seeds } = this.state.records ?? {}, planned = examplesOf(this.state.examples);
      if (!budgets) return "";
      if (!planned) return "Write how many examples the network sees in all, such as 60,000 × 60.";
      const each = planned / after, first = budgets[0], last = budgets.at(-1);
      const said = `${big(planned)} examples are ${each < 10 ? Number(each.toPrecision(2)) : grouped(each)} for each weight of the student`;
      if (each < first / Math.SQRT2) return `${said}, fewer than in any of our records.`;
      if (each > last * Math.SQRT2) return `${said}, more than in any of our records. At ${last}, the most we tried, ${this.told(rivals, budgets.length - 1)}`;
      return `${said}. The nearest budget of our records is ${budgets[this.nearest(each)]}: there ${this.told(rivals, this.nearest(each))} Means of ${seeds} seeds.`;
    }

    told(rivals, at) {
      const say = { wins: "beat", level: "was level with", loses: "lost to" };
      return `growing ${Object.entries(rivals).map(([name, cells]) => `${say[cells[at].verdict]} ${RIVALS[name]}`).join(", ").replace(/, (?=[^,]*$)/, " and ")}.`;
    }

    nearest(each) {
      const far = this.state.records.budgets.map((budget) => Math.abs(Math.log(budget / each)));
      return far.indexOf(Math.min(...far));
    }

    // -------------------------------------------------------------- building

    build(live) {
      const moved = (changes) => this.set(changes, { byHand: true });
      this.ways = this.choice("Your model", WAYS, (way) => moved({ way, left: [] }));
      this.panel = make("div", { class: "n2n-net-in" });
      this.panels = { text: this.typed(moved), file: this.dropped(), summary: this.pasted(moved) };
      this.factor = this.slider("Make it wider by", { min: 1.25, max: MOST, step: 0.25 }, (factor) => moved({ factor }), "n2n-main");
      this.sight = make("svg", { class: "n2n-net-sight", role: "img", height: HIGH });
      this.groups = make("ul", { class: "n2n-net-groups", "aria-label": "Widths, and the layers that share them" });
      this.costs = make("div", { class: "n2n-net-costs" });
      this.border = make("div", { class: "n2n-net-border" });
      this.buildBorder(moved);
      this.code = make("code");
      this.copy = this.button("Copy", () => this.copied());
      this.lines = make("div", { class: "n2n-net-code" }, make("p", { class: "n2n-net-head" }, "The lines to run"), make("pre", {}, this.code), this.copy);
      this.body = make("div", { class: "n2n-net-body" });
      live.append(this.ways.box, this.panel, this.says, this.body, make("div", { class: "n2n-buttons" }, this.button("Start over", () => this.restart())));
      live.addEventListener("dragover", (event) => { event.preventDefault(); live.classList.add("n2n-net-over"); });
      for (const end of ["dragleave", "drop"]) live.addEventListener(end, () => live.classList.remove("n2n-net-over"));
      live.addEventListener("drop", (event) => { event.preventDefault(); this.open(event.dataTransfer.files[0]); });
    }

    typed(moved) {
      const id = `${this.id_}-text`;
      this.text = make("textarea", { id, rows: 2, spellcheck: false, autocapitalize: "off", autocomplete: "off" });
      this.text.addEventListener("input", () => moved({ text: this.text.value }));
      const examples = Object.entries(TYPED).map(([name, text]) => this.button(name, () => moved({ text, left: [] })));
      return make("div", {}, make("label", { for: id }, "Layers from input to output, with arrows between them"), this.text,
        make("div", { class: "n2n-buttons" }, ...examples));
    }

    dropped() {
      const id = `${this.id_}-file`, input = make("input", { type: "file", id, accept: ".keras,.zip,.h5" });
      input.addEventListener("change", () => this.open(input.files[0]));
      this.chosen = make("b", {}, "Drop a .keras file here, or choose one");
      return make("div", { class: "n2n-net-drop" }, make("label", { for: id }, this.chosen), input,
        make("p", {}, "The file is read in this page. Nothing leaves your browser, and its weights are not even opened."));
    }

    pasted(moved) {
      const id = `${this.id_}-summary`;
      this.summary = make("textarea", { id, rows: 6, spellcheck: false, placeholder: "Model: \"functional\"\n┏━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━┓\n┃ Layer (type)    ┃ Output Shape   ┃ Param # ┃" });
      this.summary.addEventListener("input", () => moved({ summary: this.summary.value, left: [] }));
      return make("div", {}, make("label", { for: id }, "All that model.summary() prints"), this.summary,
        make("p", {}, "A summary does not name activations. The page takes none of them for a softmax between hidden layers."));
    }

    buildBorder(moved) {
      const { budgets, rivals } = this.state.records ?? {};
      if (!budgets) return;
      const id = `${this.id_}-examples`;
      this.examples = make("input", { type: "text", id, inputmode: "text", autocomplete: "off" });
      this.examples.addEventListener("input", () => moved({ examples: this.examples.value }));
      this.needs = budgets.map(() => make("small"));
      this.columns = budgets.map((budget, i) => make("th", { scope: "col" }, make("b", {}, String(budget)), this.needs[i]));
      this.cells = Object.entries(rivals).map(([, cells]) => cells.map(({ verdict }) => make("td", { class: `n2n-net-${verdict}` }, verdict)));
      this.border.append(
        make("p", { class: "n2n-net-head" }, "Would growing pay?"),
        make("div", { class: "n2n-net-plan" }, make("label", { for: id }, "Training examples in all, passes counted"), this.examples),
        make("table", {},
          make("caption", {}, "Each column is a length of training: examples for each weight of the student, and below it as many for yours. From our records of a small GPT, where an example is a character."),
          make("thead", {}, make("tr", {}, make("td", {}, "Growing, beside"), ...this.columns)),
          make("tbody", {}, ...Object.keys(rivals).map((rival, i) => make("tr", {}, make("th", { scope: "row" }, RIVALS[rival]), ...this.cells[i])))),
        this.judged = make("p", { role: "status" }),
      );
    }

    async copied() {
      const range = document.createRange();
      range.selectNodeContents(this.code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      try {
        await navigator.clipboard.writeText(this.code.textContent);
        say(this.copy, "Copied");
        setTimeout(() => say(this.copy, "Copy"), 1500);
      } catch { /* the lines are selected, so a key copies them */ }
    }

    // -------------------------------------------------------------- drawing

    render() {
      if (!this.body) return;
      this.load();
      const { way, text, summary, factor, examples } = this.state, { problem, net } = this.found;
      for (const [value, input] of Object.entries(this.ways.inputs)) input.checked = value === way;
      if (this.panel.firstChild !== this.panels[way]) this.panel.replaceChildren(this.panels[way]);
      if (this.text.value !== text) this.text.value = text;
      if (this.summary.value !== summary) this.summary.value = summary;
      say(this.chosen, this.opened ? `${this.opened.name} · choose another` : "Drop a .keras file here, or choose one");
      put(this.says, { class: `n2n-says${problem && (way === "text" || (way === "file" ? this.opened : summary)) ? " n2n-net-problem" : ""}` });
      if (!net) {
        this.body.replaceChildren();
        return;
      }
      const { grows, ...found } = this.plan;
      const parts = [this.factor.box, this.sight, this.groups, ...(grows ? [this.costs, ...(this.state.records ? [this.border] : []), this.lines] : [])];
      if (this.body.children.length !== parts.length) this.body.replaceChildren(...parts);
      this.slide(this.factor, { min: 1.25, max: MOST }, factor, times(factor));
      this.paint(found.groups);
      this.renderSight(found.groups);
      this.renderGroups(found.groups);
      if (!grows) return;
      this.renderCosts(found);
      say(this.code, code(this.found.model, { grows, ...found }, factor, this.left));
      if (!this.examples) return;
      const [, after] = found.parameters, planned = examplesOf(examples), { budgets } = this.state.records;
      if (this.examples.value !== examples) this.examples.value = examples;
      const each = planned / after, near = planned && each >= budgets[0] / Math.SQRT2 && each <= budgets.at(-1) * Math.SQRT2 ? this.nearest(each) : -1;
      budgets.forEach((budget, i) => {
        say(this.needs[i], big(budget * after));
        for (const cell of [this.columns[i], ...this.cells.map((row) => row[i])]) cell.classList.toggle("n2n-net-near", i === near);
      });
      say(this.judged, this.verdict(after));
    }

    /* A color for each width that can grow. */
    paint(groups) {
      let next = 0;
      this.paints = new Map(groups.map(({ number, fixed }) => [number, fixed ? STILL : PAINTS[next++ % PAINTS.length]]));
    }

    /* The network from the side: each layer as high as it has channels, what is new around what was there. */
    renderSight(groups) {
      const { net } = this.found, wide = this.widthOf(this.sight) || 680, now = new Map(groups.map((group) => [group.number, group]));
      const top = (group) => { while (group.into) group = group.into; return now.get(group.number); };
      const most = Math.max(...groups.map(({ width, fixed }) => width * (fixed ? 1 : MOST)));
      const room = HIGH - TOP - LOW, middle = TOP + room / 2, tall = (n) => Math.max(room * Math.sqrt(n / most), 2);
      const slot = wide / net.layers.length, px = (i) => (i + 0.5) * slot;
      const bars = net.layers.map(({ name, class: kind, row }, i) => {
        const parts = row.map(({ group }) => top(group)), makes = parts.some(({ makers }) => makers.includes(name));
        const both = ["width", "now"].map((key) => parts.reduce((sum, part) => sum + part[key], 0));
        return { name, kind, parts, makes, x: px(i), old: both[0], new: both[1], half: Math.min(Math.max(slot * (makes ? 0.29 : 0.12), 1.2), makes ? 20 : 7) };
      });
      const drawn = this.drawn?.net === net && this.drawn.wide === wide ? this.drawn : null;
      if (!drawn) this.drawn = { net, wide, ...this.drawLayers(bars) };
      bars.forEach((bar, i) => {
        const own = this.drawn.bars[i], whole = tall(bar.new), inner = tall(bar.old);
        let [high, low] = [middle - whole / 2, middle - inner / 2];
        bar.parts.forEach((part, j) => {
          const share = bar.new ? part.now / bar.new : 0, kept = bar.old ? part.width / bar.old : 0, paint = this.paints.get(part.number);
          put(own[2 * j], { x: bar.x - bar.half, width: 2 * bar.half, y: high, height: whole * share, style: `fill: ${paint}` });
          put(own[2 * j + 1], { x: bar.x - bar.half, width: 2 * bar.half, y: low, height: inner * kept, style: `fill: ${paint}` });
          high += whole * share;
          low += inner * kept;
        });
      });
      const at = new Map(bars.map((bar) => [bar.name, bar]));
      this.drawn.ways.forEach(({ from, to, node }) => {
        const [a, b] = [at.get(from), at.get(to)], [ya, yb] = [tall(a.old || 1) / 2, tall(b.old || 1) / 2], far = bars.indexOf(b) - bars.indexOf(a);
        const [xa, xb] = [a.x + a.half, b.x - b.half], bend = (xa + xb) / 2, deep = middle + tall(Math.max(a.new, b.new)) / 2 + 8 + 4 * Math.min(far, 5);
        put(node, { d: far === 1
          ? `M${xa} ${middle - ya}C${bend} ${middle - ya} ${bend} ${middle - yb} ${xb} ${middle - yb}V${middle + yb}C${bend} ${middle + yb} ${bend} ${middle + ya} ${xa} ${middle + ya}Z`
          : `M${a.x} ${middle + tall(a.new || 1) / 2 + 2}C${a.x} ${deep} ${b.x} ${deep} ${b.x} ${middle + tall(b.new || 1) / 2 + 2}` });
      });
      this.renderNames(bars, middle, tall);
      put(this.sight, { viewBox: `0 0 ${wide} ${HIGH}`, "aria-label": this.picture(groups) });
    }

    drawLayers(bars) {
      const ways = this.found.net.layers.flatMap(({ name, inputs }) => inputs.map((from) => {
        const far = bars.findIndex((bar) => bar.name === name) - bars.findIndex((bar) => bar.name === from);
        return { from, to: name, node: make("path", { class: far === 1 ? "n2n-net-flow" : "n2n-net-skip" }) };
      }));
      const rects = bars.map((bar) => bar.parts.flatMap(() => [make("rect", { class: "n2n-net-new", rx: 2 }), make("rect", { class: "n2n-net-old", rx: 2 })]));
      const layers = bars.map((bar, i) => make("g", { class: bar.makes ? "" : "n2n-net-follows" }, make("title", {}, `${bar.name} (${bar.kind})`), ...rects[i]));
      const names = make("g", { class: "n2n-net-names" });
      this.sight.replaceChildren(...ways.map((way) => way.node), ...layers, names);
      return { bars: rects, ways, names };
    }

    /* Widths above the layers and names below, as many as there is room for. */
    renderNames(bars, middle, tall) {
      const wide = this.drawn.wide, ends = [-9, -9], shown = [], crowded = wide / bars.length < 24;
      const place = (line, x, words, attributes) => {
        const half = words.length * (line ? 3.4 : 3.7) + 3, at = Math.min(Math.max(x, half), wide - half);
        if (at - half < ends[line]) return;
        ends[line] = at + half;
        shown.push(make("text", { x: at, "text-anchor": "middle", ...attributes }, words));
      };
      for (const bar of bars.filter(({ makes }) => makes)) {
        const words = bar.new > bar.old ? `${bar.old} → ${bar.new}` : String(bar.old);
        place(0, bar.x, words, { class: "n2n-net-number", y: crowded ? 14 : Math.max(middle - tall(bar.new) / 2 - 8, 12) });
        place(1, bar.x, bar.name, { class: "n2n-tick", y: HIGH - 6 });
      }
      this.drawn.names.replaceChildren(...shown);
    }

    picture(groups) {
      const widths = groups.map(({ name, width, now }) => `${name} ${now > width ? `${width} to ${now}` : width}`);
      return `The network from the side, input at the left. Widths: ${listed(widths, 12)}.`;
    }

    renderGroups(groups) {
      const key = JSON.stringify([groups.map(({ number, name, fixed }) => [number, name, fixed])]);
      if (this.grouped !== key) {
        this.grouped = key;
        this.items = groups.map((group) => this.item(group));
        this.groups.replaceChildren(...this.items.map(({ box }) => box));
      }
      groups.forEach(({ name, width, now, why, fixed }, i) => {
        const { box, input, number, reason } = this.items[i];
        put(box, { class: now > width ? "n2n-net-grows" : "", style: `--n2n-paint: ${this.paints.get(groups[i].number)}` });
        if (input) input.checked = !this.state.left.includes(name);
        say(number, now > width ? `${width} → ${now}` : String(width));
        say(reason, why ? `${fixed ? "Stays" : "Stays here"}: ${why}.` : "");
      });
    }

    item({ name, makers, followers, ties, fixed }) {
      const number = make("b", { class: "n2n-net-width" }), reason = make("small");
      const names = make("span", { class: "n2n-net-members" }, make("b", {}, listed(makers, 8)));
      const more = [
        ...(ties.length && makers.length > 1 ? [`tied by ${listed([...new Set(ties)], 3)}`] : []),
        ...(followers.filter((one) => !ties.includes(one)).length ? [`followed by ${listed([...new Set(followers)].filter((one) => !ties.includes(one)), 4)}`] : []),
      ];
      names.append(...(more.length ? [make("small", {}, more.join("; "))] : []), reason);
      if (fixed) return { box: make("li", {}, make("span", { class: "n2n-net-lock", "aria-hidden": "true" }), names, number), number, reason };
      const input = make("input", { type: "checkbox" });
      input.addEventListener("change", () => {
        const others = this.state.left.filter((one) => one !== name);
        this.set({ left: input.checked ? others : [...others, name] }, { byHand: true });
      });
      const label = make("label", {}, input, make("span", { class: "n2n-net-tick", "aria-hidden": "true" }), names, number);
      return { box: make("li", {}, label), input, number, reason };
    }

    renderCosts(found) {
      this.costs.replaceChildren(...Object.entries(COSTS).map(([name, words]) => {
        const [before, after] = found[name], told = name === "memory" ? bytes : name === "operations" ? big : grouped;
        const bar = (kind, n) => make("span", { class: kind, style: `width: ${(100 * n) / (after || 1)}%` });
        return make("div", { "data-cost": name }, make("span", { class: "n2n-label" }, words),
          make("span", { class: "n2n-net-after" }, told(after)), make("span", { class: "n2n-label" }, `from ${told(before)}, ${times(after / (before || 1))}`),
          make("div", { class: "n2n-net-bars", "aria-hidden": "true" }, bar("n2n-net-before", before), bar("", after)));
      }), make("p", { class: "n2n-net-note" }, "Multiply-adds are those of the weights"
        + `${this.found.net.open ? ", for a single step where a length is not fixed" : ""}. Memory is that of weights, gradients and two moments in float32; activations come on top.`));
    }
  }

  if (!customElements.get("net2net-network")) customElements.define("net2net-network", Network);
}
