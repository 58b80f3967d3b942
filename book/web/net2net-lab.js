/* <net2net-lab units="8" seed="0" rate="0.02" speed="1" axis="updates" recorded='[{"kind", "sizes", "points"}, ...]'>

   Networks 784-n-10 (ReLU, softmax, SGD with momentum, float64) trained in the page on 5,000 real digits, grown while
   they train. helpers/lab.py writes the element, packs the digits, and is the twin that it is compared with: the same
   seed draws the same weights and the same batches there. The digits come when the reader asks for them.

   Training runs in slices inside animation frames, so a page that is not seen does not train. */

{
  const { range } = Net2Net;
  const { make, put, say } = Net2NetElement;

  const HERE = document.currentScript?.src || document.baseURI;
  const FILE = "net2net-digits.js";
  const BATCH = 32, MOMENTUM = 0.9, EVERY = 25;
  const SLICE = 9;             // milliseconds of training in one frame
  const CHUNK = 100;           // validation digits between two looks at the clock
  const PLACES = 9, MOST_UNITS = 64, MOST_LAYERS = 4, MOST_POINTS = 480;
  const RATES = [0.005, 0.01, 0.02, 0.05, 0.1];
  const SPEEDS = [["10 updates/s", 10], ["100 updates/s", 100], ["500 updates/s", 500], ["full", Infinity]];
  const HIGH = 270, EDGE = { left: 46, right: 30, top: 12, bottom: 38 };

  /* What a network can become; `kept`: it begins as the function that it comes from. */
  const KINDS = {
    teacher: { name: "teacher", color: "u7" },
    equal: { name: "wider, equal", button: "Copies, equal shares", color: "u0", kept: true, wider: true },
    unequal: { name: "wider, unequal", button: "Copies, unequal shares", color: "u2", kept: true, wider: true },
    noise: { name: "wider, noise", button: "Copies, noise that cancels", color: "u6", kept: true, wider: true },
    padded: { name: "wider, padded", button: "Pad at random", color: "u1", dash: "9 3 2 3", wider: true },
    "fresh-wider": { name: "wider, fresh", button: "Start fresh, wider", color: "u5", dash: "6 3", wider: true },
    deeper: { name: "deeper", button: "Identity layer", color: "u3", kept: true, deeper: true },
    "fresh-deeper": { name: "deeper, fresh", button: "Start fresh, deeper", color: "u5", dash: "2 3", deeper: true },
    "goes-on": { name: "goes on", button: "Go on as it is", color: "u4", dash: "2 3", kept: true },
  };

  const percent = (part) => `${(100 * part).toFixed(1)} %`;
  const count = (n) => n.toLocaleString("en-US");

  // ---------------------------------------------------------------- the digits

  function fetchScript() {
    return new Promise((come, fail) => {
      const node = make("script", { src: new URL(FILE, HERE) });
      node.addEventListener("load", () => { node.remove(); come(); });
      node.addEventListener("error", () => { node.remove(); fail(new Error("The file with the digits did not come.")); });
      document.head.append(node);
    });
  }

  const breath = () => new Promise((done) => { setTimeout(done); });

  /* Rows of what is not zero: digit d has `pixels` and `levels` from starts[d] to starts[d + 1]. */
  async function unpack({ count: all, train, deflated }) {
    if (!(all > train && train > 0)) throw new Error("The file with the digits holds none.");
    const letters = atob(deflated), raw = new Uint8Array(letters.length);
    for (let i = 0; i < raw.length; i++) raw[i] = letters.charCodeAt(i);
    await breath();
    const inflated = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const bytes = new Uint8Array(await new Response(inflated).arrayBuffer());
    if (bytes.length !== all * 393) throw new Error("The file with the digits is damaged.");
    const starts = new Uint32Array(all + 1), pixels = new Uint16Array(all * 784), levels = new Uint8Array(all * 784);
    let at = 0;
    for (let d = 0; d < all; d++) {
      for (let i = 0; i < 392; i++) {
        const pair = bytes[d * 392 + i];
        if (pair & 15) { pixels[at] = 2 * i; levels[at++] = pair & 15; }
        if (pair >> 4) { pixels[at] = 2 * i + 1; levels[at++] = pair >> 4; }
      }
      starts[d + 1] = at;
      if (d % 250 === 249) await breath();
    }
    return {
      all, train, starts, pixels: pixels.slice(0, at), levels: levels.slice(0, at), labels: bytes.slice(all * 392),
    };
  }

  let coming;  // one set of digits for all labs of a page

  function load() {
    coming ??= (async () => {
      try {
        if (!globalThis.Net2NetDigits) await fetchScript();
        if (!globalThis.Net2NetDigits) throw new Error("The file with the digits is damaged.");
        return await unpack(globalThis.Net2NetDigits);
      } catch (error) {
        coming = undefined;
        delete globalThis.Net2NetDigits;
        throw error;
      }
    })();
    return coming;
  }

  // ---------------------------------------------------------------- the networks

  const nested = (flat, rows, columns) => range(rows).map((i) => Array.from(flat.subarray(i * columns, (i + 1) * columns)));

  class Network {
    /* `layers`: kernels as flat rows over inputs, and biases. */
    constructor(layers, seed, generation = 0) {
      this.layers = layers.map(({ w, b }) => ({
        w: Float64Array.from(w), b: Float64Array.from(b), n: w.length / b.length, q: b.length,
        moveW: new Float64Array(w.length), moveB: new Float64Array(b.length),
        value: new Float64Array(b.length), error: new Float64Array(b.length),
      }));
      this.seed = seed;
      this.generation = generation;
      this.rng = new Net2Net.Rng(1000 * seed + generation);
      this.updates = 0;
      this.seconds = 0;
    }

    static fresh(sizes, seed, drawn, generation) {
      const rng = new Net2Net.Rng(drawn);
      const layers = range(sizes.length - 1).map((i) => {
        const n = sizes[i], q = sizes[i + 1], scale = Math.sqrt(6 / (n + q));
        return { w: Float64Array.from({ length: n * q }, () => rng.uniform(-1, 1) * scale), b: new Float64Array(q) };
      });
      return new Network(layers, seed, generation);
    }

    get sizes() { return [this.layers[0].n, ...this.layers.map(({ q }) => q)]; }

    get hidden() { return this.layers.slice(0, -1).map(({ q }) => q); }

    /* All layers' values for the digit in `from` to `to` of sparse rows; the last are logits. */
    forward({ pixels, levels }, from, to) {
      this.layers.forEach((layer, number) => {
        const { w, b, n, q, value } = layer;
        value.set(b);
        if (number === 0) {
          for (let k = from; k < to; k++) {
            const row = pixels[k] * q, ink = levels[k] / 3;
            for (let j = 0; j < q; j++) value[j] += ink * w[row + j];
          }
        } else {
          const below = this.layers[number - 1].value;
          for (let i = 0; i < n; i++) {
            const amount = below[i];
            if (amount) for (let j = 0; j < q; j++) value[j] += amount * w[i * q + j];
          }
        }
        if (number < this.layers.length - 1) for (let j = 0; j < q; j++) if (value[j] < 0) value[j] = 0;
      });
      return this.layers.at(-1).value;
    }

    /* What the network takes a digit for. */
    answer(digits, d) {
      const scores = this.forward(digits, digits.starts[d], digits.starts[d + 1]);
      let best = 0;
      for (let j = 1; j < 10; j++) if (scores[j] > scores[best]) best = j;
      return best;
    }

    /* One step of gradient descent on a batch drawn with replacement. */
    update(digits, rate) {
      const step = rate / BATCH, { starts, pixels, levels, labels } = digits, last = this.layers.length - 1;
      for (const { moveW, moveB } of this.layers) {
        for (let i = 0; i < moveW.length; i++) moveW[i] *= MOMENTUM;
        for (let i = 0; i < moveB.length; i++) moveB[i] *= MOMENTUM;
      }
      for (let b = 0; b < BATCH; b++) {
        const digit = this.rng.integer(digits.train), from = starts[digit], to = starts[digit + 1];
        const { value, error } = (this.forward(digits, from, to), this.layers[last]);
        let top = -Infinity, sum = 0;
        for (let j = 0; j < 10; j++) if (value[j] > top) top = value[j];
        for (let j = 0; j < 10; j++) sum += error[j] = Math.exp(value[j] - top);
        for (let j = 0; j < 10; j++) error[j] /= sum;
        error[labels[digit]] -= 1;
        for (let number = last; number >= 0; number--) {
          const layer = this.layers[number], { w, n, q, moveW, moveB } = layer, mistake = layer.error;
          for (let j = 0; j < q; j++) moveB[j] -= step * mistake[j];
          if (number === 0) {
            for (let k = from; k < to; k++) {
              const row = pixels[k] * q, ink = step * levels[k] / 3;
              for (let j = 0; j < q; j++) moveW[row + j] -= ink * mistake[j];
            }
          } else {
            const below = this.layers[number - 1];
            for (let i = 0; i < n; i++) {
              let back = 0;
              const amount = below.value[i];
              if (amount > 0) {
                for (let j = 0; j < q; j++) {
                  back += mistake[j] * w[i * q + j];
                  moveW[i * q + j] -= step * amount * mistake[j];
                }
              }
              below.error[i] = back;
            }
          }
        }
      }
      for (const { w, b, moveW, moveB } of this.layers) {
        for (let i = 0; i < w.length; i++) w[i] += moveW[i];
        for (let i = 0; i < b.length; i++) b[i] += moveB[i];
      }
      this.updates += 1;
    }

    /* The network that `kind` makes of this one, and for each hidden unit the teacher's unit that it comes from. */
    grow(kind, width, origins) {
      const drawn = 1000 * this.seed + 500 + this.generation + 1, { sizes } = this;
      let layers = this.layers.map(({ w, b, n, q }) => ({ w: nested(w, n, q), b: Array.from(b) }));
      let from = origins.map((units) => [...units]), grown;
      if (["equal", "unequal", "noise", "padded"].includes(kind)) {
        const rng = new Net2Net.Rng(drawn);
        for (let i = 0; i < layers.length - 1; i++) {
          const n = layers[i].b.length;
          if (n >= width) continue;
          // The mapping is drawn here, and not by wider2netFc, because the page shows it.
          const mapping = Net2Net.randomMapping(n, width, rng);
          const [w, b, next] = Net2Net.wider2netFc(layers[i].w, layers[i].b, layers[i + 1].w, width, {
            mapping, rng, ...(kind === "padded" ? { init: "randompad" } : { split: kind === "unequal" ? "random" : kind }),
          });
          layers[i] = { w, b };
          layers[i + 1] = { ...layers[i + 1], w: next };
          from[i] = mapping.map((k, j) => (kind === "padded" && j >= n ? -1 : from[i][k]));
        }
      } else if (kind === "deeper") {
        const [w, b] = Net2Net.deeper2netFc(sizes.at(-2));
        layers.splice(-1, 0, { w, b });
        from.push([...from.at(-1)]);
      } else if (kind.startsWith("fresh")) {
        const hidden = kind === "fresh-wider" ? this.hidden.map((q) => Math.max(q, width)) : [...this.hidden, sizes.at(-2)];
        grown = Network.fresh([sizes[0], ...hidden, sizes.at(-1)], this.seed, drawn, this.generation + 1);
        from = hidden.map((q) => Array(q).fill(-1));
      }
      grown ??= new Network(layers.map(({ w, b }) => ({ w: w.flat(), b })), this.seed, this.generation + 1);
      grown.updates = this.updates;
      grown.seconds = this.seconds;
      return [grown, from];
    }
  }

  // ---------------------------------------------------------------- the element

  class Lab extends Net2NetElement {
    static title = "Train networks and grow them";
    static defaults = { units: 8, seed: 0, rate: 0.02, speed: 1, axis: "updates", recorded: [] };

    runs = [];
    every = EVERY;
    wanted = [];               // growths that were asked for, made one in a frame
    width = 0;                 // of wider students; 0 until the reader says
    chosen = 0;                // which run is looked at and grown
    digit = 0;                 // which validation digit is shown; -1 for a drawn one
    ink = new Uint8Array(784);

    settle(state) {
      const { units, speed, rate, seed, axis } = state;
      const within = (value, least, most, otherwise) => Math.min(Math.max(Number.isFinite(value) ? value : otherwise, least), most);
      return {
        units: Math.round(within(units, 4, 16, 8)),
        seed: Math.round(within(seed, 0, 1e9, 0)),
        rate: within(rate, RATES[0], RATES.at(-1), 0.02),
        speed: Math.round(within(speed, 0, SPEEDS.length - 1, 1)),
        axis: axis === "seconds" ? axis : "updates",
        recorded: Array.isArray(state.recorded) ? state.recorded : [],
      };
    }

    describe() {
      const [first, ...students] = this.shown(), press = "Press Train to train your own here, on 5,000 real digits.";
      if (this.message || !students.length) return this.message ?? press;
      return `A recorded run: teacher A stopped after ${first.points.at(-1)[0]} updates; ${students[0].letter} to ${students.at(-1).letter} were made then, and trained on. ${press}`;
    }

    tell(message) {
      this.message = message;
      if (this.says) this.announce(message);
    }

    // -------------------------------------------------------------- what the buttons do

    get run() { return this.runs[this.chosen]; }

    get leaves() { return this.runs.filter((run) => !this.runs.some((other) => other.parent === run)); }

    /* The least, the greatest and the chosen width of a network's wider students. All its hidden layers are equally wide. */
    widths({ net }) {
      const n = net.hidden[0], least = n + 1, most = Math.min(MOST_UNITS, 4 * n);
      return { least, most, chosen: Math.min(Math.max(this.width || most, least), most) };
    }

    /* Load the digits if they are not there, and make a teacher if there is none; false if that cannot be. */
    async ready() {
      if (!this.digits) {
        if (this.loading) return false;
        this.loading = true;
        this.tell("Loading the digits …");
        this.render();
        try {
          this.digits = await load();
        } catch (error) {
          this.failed = true;
          this.tell(`${error.message} Nothing is lost; press Try again.`);
        }
        this.loading = false;
        if (!this.digits) {
          this.render();
          return false;
        }
        this.failed = false;
      }
      if (!this.runs.length) {
        const { units, seed } = this.state, drawn = 1000 * seed + 500;
        this.add("teacher", Network.fresh([784, units, 10], seed, drawn, 0), [range(units)]);
        this.pick(Math.max(this.digit, 0));
      }
      return this.isConnected;
    }

    async play() {
      if (!(await this.ready())) return;
      this.playing = true;
      this.until = Infinity;
      this.tell(`Training ${this.leaves.length === 1 ? "the network" : `${this.leaves.length} networks in turn`}, the furthest behind first.`);
      this.pump();
    }

    pause(words) {
      this.playing = false;
      this.leaves.forEach((run) => this.bringUpToDate(run));
      const best = this.runs.filter(({ points }) => points.length).map(({ letter, points }) => `${letter} ${percent(points.at(-1)[2])}`);
      this.tell(`${words ?? "Paused."} Validation accuracy: ${best.join(", ")}.`);
      this.pump();
    }

    /* Have a network's accuracy measured as it is now, between two points of its curve. */
    bringUpToDate(run) {
      if (run.check === undefined && run.points.at(-1)[0] !== run.net.updates) Object.assign(run, { check: 0, right: 0 });
    }

    async step() {
      if (!(await this.ready())) return;
      this.until = Math.floor(Math.max(...this.leaves.map(({ net }) => net.updates)) / this.every + 1) * this.every;
      this.playing = true;
      this.pump();
    }

    async grow(kinds) {
      if (!(await this.ready())) return;
      const free = PLACES - this.runs.length - this.wanted.length;
      this.bringUpToDate(this.run);
      if (kinds.length > free)
        this.tell(`There is room for ${PLACES} networks. Remove one first, or start over.`);
      this.wanted.push(...kinds.slice(0, free).map((kind) => [kind, this.run]));
      this.pump();
    }

    add(kind, net, origins, parent) {
      const letters = this.runs.map(({ letter }) => letter);
      const letter = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].find((one) => !letters.includes(one));
      const run = { kind, net, origins, parent, letter, points: [], check: 0, right: 0 };
      this.runs.push(run);
      this.render();
      this.pump();
    }

    drop(run) {
      const left = this.runs.indexOf(run);
      this.runs.splice(left, 1);
      this.wanted = this.wanted.filter(([, parent]) => parent !== run);
      this.chosen = Math.max(0, this.chosen - (this.chosen >= left ? 1 : 0));
      const again = this.leaves.includes(run.parent) ? ` ${run.parent.letter} is trained again.` : "";
      this.tell(`${run.letter} is removed.${again}`);
      this.render();
      this.rows[this.chosen].input.focus();
    }

    restart() {
      this.clear();
      super.restart();
      this.tell(this.digits ? "Started over. Press Train for a new teacher." : undefined);
      this.announce(this.describe());
    }

    clear() {
      this.playing = false;
      this.runs = [];
      this.wanted = [];
      this.chosen = 0;
      this.width = 0;
      this.every = EVERY;
    }

    // -------------------------------------------------------------- training in slices

    pump() {
      this.render();
      if (this.frame || !this.isConnected) return;
      this.clock = undefined;
      this.frame = requestAnimationFrame((now) => this.slice(now));
    }

    slice(now) {
      this.frame = undefined;
      const end = performance.now() + SLICE, speed = SPEEDS[this.state.speed][1];
      // The speed is that of each network; what a slow frame leaves undone is made up for in the next, but not for long.
      const many = this.leaves.length, made = (many * speed * (now - (this.clock ?? now))) / 1000;
      this.credit = speed === Infinity ? Infinity : Math.min((this.credit || 0) + (made || 0), many * (1 + speed / 10));
      this.clock = now;
      while (performance.now() < end && this.work(end));
      if (now - (this.drawn ?? 0) > 90 || !this.playing) {
        this.drawn = now;
        this.render();
      }
      if (this.playing || this.wanted.length || this.runs.some((run) => run.check !== undefined))
        this.frame = requestAnimationFrame((next) => this.slice(next));
    }

    /* One small piece of work; false if there is nothing left to do in this frame. */
    work(end) {
      const checking = this.runs.find((run) => run.check !== undefined);
      if (checking) return this.evaluate(checking);
      if (this.wanted.length) {
        const [kind, parent] = this.wanted.shift();
        const [net, origins] = parent.net.grow(kind, this.widths(parent).chosen, parent.origins);
        this.add(kind, net, origins, parent);
        return false;
      }
      if (!this.playing) return false;
      const run = this.leaves.reduce((least, other) => (other.net.updates < least.net.updates ? other : least));
      if (run.net.updates >= this.until) {
        this.pause(`Every network has made ${count(this.until)} updates.`);
        return false;
      }
      const begun = performance.now(), { net } = run;
      let made = 0;
      do {
        if (this.credit < 1) break;
        this.credit -= 1;
        net.update(this.digits, this.state.rate);
        made += 1;
      } while (net.updates % this.every && performance.now() < end);
      net.seconds += (performance.now() - begun) / 1000;
      if (made && net.updates % this.every === 0) Object.assign(run, { check: 0, right: 0 });
      return made > 0;
    }

    evaluate(run) {
      const { digits } = this, { labels, train } = digits, all = digits.all - train;
      const stop = Math.min(run.check + CHUNK, all);
      for (; run.check < stop; run.check++)
        if (run.net.answer(digits, train + run.check) === labels[train + run.check]) run.right += 1;
      if (run.check < all) return true;
      run.check = undefined;
      const accuracy = run.right / all, first = !run.points.length;
      run.points.push([run.net.updates, run.net.seconds, accuracy]);
      if (first && run.parent) this.welcome(run, accuracy);
      if (run.points.length > MOST_POINTS) this.thin();
      return true;
    }

    welcome({ kind, letter, net, parent }, accuracy) {
      const was = parent.points.at(-1)[2], same = accuracy === was;
      const start = KINDS[kind].kept && same ? `It starts at ${percent(accuracy)}, exactly where ${parent.letter} stands`
        : `It starts at ${percent(accuracy)}; ${parent.letter} stands at ${percent(was)}`;
      this.tell(`${letter} is made from ${parent.letter}: ${KINDS[kind].name}, ${net.sizes.join("-")}. ${start}.${this.playing ? "" : " Press Train."}`);
    }

    /* Half as many points in every curve, twice as many updates between them. */
    thin() {
      this.every *= 2;
      for (const run of this.runs) run.points = run.points.filter((_, i, all) => i % 2 === 0 || i === all.length - 1);
    }

    // -------------------------------------------------------------- coming and going

    connectedCallback() {
      super.connectedCallback();
      this.seen = () => {
        if (document.hidden) this.hid = this.playing;
        else if (this.hid && this.playing) this.tell("The page was hidden, and training stood still. It goes on.");
      };
      document.addEventListener("visibilitychange", this.seen);
      if (this.runs.length) this.pump();
    }

    disconnectedCallback() {
      document.removeEventListener("visibilitychange", this.seen);
      cancelAnimationFrame(this.frame);
      this.frame = undefined;
      if (this.playing) this.pause("Paused, because the lab left the page.");
      super.disconnectedCallback();
    }

    // -------------------------------------------------------------- the digit

    pick(digit) {
      const { all, train, starts, pixels, levels } = this.digits;
      this.digit = (digit + all - train) % (all - train);
      this.ink.fill(0);
      for (let k = starts[train + this.digit]; k < starts[train + this.digit + 1]; k++) this.ink[pixels[k]] = levels[k];
      this.render();
    }

    /* The next validation digit that the chosen network gets wrong. */
    pickMistake() {
      const { train, labels, all } = this.digits, many = all - train;
      const next = range(many).map((i) => (this.digit + 1 + i) % many).find((d) => this.run.net.answer(this.digits, train + d) !== labels[train + d]);
      if (next === undefined) return this.tell(`${this.run.letter} makes no mistake.`);
      this.pick(next);
      this.tell(`${this.run.letter} takes this ${labels[train + next]} for a ${this.seenAs()}.`);
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
      this.render();
    }

    /* Whether there is a network that looks at the pad. */
    get looking() { return Boolean(this.run && this.digits); }

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
      this.render();
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

    // -------------------------------------------------------------- building

    build(live) {
      const moved = (changes) => this.set(changes, { byHand: true });
      this.go = this.button("Train", () => (this.playing ? this.pause() : this.play()));
      this.go.classList.add("n2n-go");
      this.stepper = this.button("Step", () => this.step());
      this.again = this.button("Start over", () => this.restart());
      this.another = this.button("Another seed", () => { this.clear(); moved({ seed: this.state.seed + 1 }); this.tell(`Seed ${this.state.seed}: other first weights and other batches. Press Train.`); });
      this.units_ = this.slider("Teacher’s units", { min: 4, max: 16, step: 1 }, (units) => {
        moved({ units });
        if (this.runs.length && this.runs[0].net.hidden[0] !== units)
          this.tell(`This teacher keeps its ${this.runs[0].net.hidden[0]} units. Start over to train one with ${units}.`);
      });
      this.rate_ = this.slider("Learning rate", { min: 0, max: RATES.length - 1, step: 1 }, (i) => moved({ rate: RATES[i] }));
      this.speed_ = this.slider("Speed", { min: 0, max: SPEEDS.length - 1, step: 1 }, (speed) => moved({ speed }));
      this.axis_ = this.choice("Horizontal axis", { updates: "Updates", seconds: "Seconds of training" }, (axis) => moved({ axis }),
        "n2n-lab-axis");

      this.plot = make("svg", { class: "n2n-plot", role: "img", height: HIGH });
      this.buildPlot();
      live.append(
        make("div", { class: "n2n-lab-top" },
          make("div", { class: "n2n-buttons" }, this.go, this.stepper, this.again, this.another),
          make("div", { class: "n2n-controls n2n-even" }, this.units_.box, this.rate_.box, this.speed_.box)),
        make("div", { class: "n2n-lab-middle" }, this.plot, this.axis_.box, this.buildRows()),
        this.buildGrowth(),
        this.buildInside(),
      );
    }

    buildPlot() {
      this.frameLine = make("path", { class: "n2n-axis", fill: "none" });
      this.levels = [0.1, 0.5, 0.8, 0.9, 0.95].map((level) => ({
        level, line: make("line", { class: "n2n-axis" }), text: make("text", { class: "n2n-tick", "text-anchor": "end" }, `${100 * level} %`),
      }));
      this.ticks = range(6).map(() => make("text", { class: "n2n-tick", "text-anchor": "middle" }));
      this.axisName = make("text", { class: "n2n-tick", "text-anchor": "end" });
      this.stamp = make("text", { class: "n2n-lab-stamp", "text-anchor": "end" });
      this.curves = range(PLACES).map(() => ({
        path: make("path", { class: "n2n-curve", fill: "none" }), dot: make("circle", { r: 4 }),
        text: make("text", { class: "n2n-name" }),
      }));
      this.plot.append(this.frameLine, ...this.levels.flatMap(({ line, text }) => [line, text]), ...this.ticks, this.axisName,
        this.stamp, ...this.curves.flatMap(({ path, dot, text }) => [path, dot, text]));
    }

    buildRows() {
      const name = `${this.id_}-runs`;
      this.rows = range(PLACES).map((i) => {
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
      this.rows_ = make("fieldset", { class: "n2n-choice n2n-rows" }, this.legend, make("div", {}, ...this.rows.map(({ box }) => box)));
      return this.rows_;
    }

    buildGrowth() {
      this.target_ = this.slider("Widen to", { min: 5, max: 64, step: 1 }, (width) => { this.width = width; this.render(); });
      this.makers = Object.entries(KINDS).filter(([, { button }]) => button).map(([kind, { button }]) => [kind, this.button(button, () => this.grow([kind]))]);
      const all = this.button("All eight", () => this.grow(this.makers.map(([kind]) => kind)));
      this.makers_ = [...this.makers, ["all", all]];
      this.growLegend = make("legend", {}, "Grow it");
      return make("fieldset", { class: "n2n-lab-grow" }, this.growLegend, this.target_.box,
        make("div", {}, ...this.makers_.map(([, button]) => button)));
    }

    buildInside() {
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
      this.digit_ = this.slider("Digit", { min: 1, max: 1000, step: 1 }, (number) => this.pick(number - 1));
      this.mistake = this.button("Next mistake", () => this.pickMistake());
      this.clearPad = this.button("Clear", () => { this.blank(); this.tell("The pad is clear. Draw a digit."); this.render(); });
      this.inside = make("svg", { class: "n2n-lab-inside", role: "img", height: 262 });
      this.strips = range(MOST_LAYERS).map(() => ({
        name: make("text", { class: "n2n-gutter" }), base: make("line", { class: "n2n-axis" }),
        bars: range(MOST_UNITS).map(() => make("rect", { rx: 1 })), letters: range(MOST_UNITS).map(() => make("text", { class: "n2n-value" })),
      }));
      this.outputs = range(10).map((digit) => ({
        bar: make("rect", { rx: 2 }), name: make("text", { class: "n2n-lab-digit" }, digit), text: make("text", { class: "n2n-value" }),
      }));
      this.outName = make("text", { class: "n2n-gutter" }, "output");
      this.inside.append(...this.strips.flatMap(({ name, base, bars, letters }) => [name, base, ...bars, ...letters]), this.outName,
        ...this.outputs.flatMap(({ bar, name, text }) => [bar, name, text]));
      this.insideName = make("p", { class: "n2n-lab-head" });
      return make("div", { class: "n2n-lab-look" }, this.insideName,
        make("div", { class: "n2n-lab-left" }, this.pad, make("div", {}, this.digit_.box, make("div", { class: "n2n-buttons" }, this.mistake, this.clearPad))),
        this.inside);
    }

    drew() {
      if (!this.drawing && !this.cursor) return;
      this.drawing = false;
      this.pen = undefined;
      if (this.looked && this.digit < 0) this.tell(`${this.run.letter} takes it for a ${this.seenAs()}.`);
    }

    // -------------------------------------------------------------- drawing

    render() {
      if (!this.inside) return;
      this.renderTop();
      this.renderRows();
      this.renderPlot();
      this.renderGrowth();
      this.renderInside();
    }

    /* What is drawn: the reader's networks, or before there are any those of the recorded run. */
    shown() {
      if (this.runs.length) return this.runs.map(({ kind, letter, points, net }) => ({ kind, letter, points, sizes: net.sizes }));
      return this.state.recorded.filter(({ kind }) => kind in KINDS).slice(0, PLACES).map((run, i) => ({ ...run, letter: "ABCDEFGHI"[i] }));
    }

    renderTop() {
      const { units, rate, speed, axis } = this.state;
      say(this.go, this.loading ? "Loading …" : this.playing ? "Pause" : this.failed ? "Try again" : "Train");
      this.slide(this.units_, {}, units, `${units}`);
      const near = RATES.reduce((best, one, i) => (Math.abs(one - rate) < Math.abs(RATES[best] - rate) ? i : best), 0);
      this.slide(this.rate_, {}, near, `${rate}`);
      this.slide(this.speed_, {}, speed, SPEEDS[speed][0]);
      for (const [value, input] of Object.entries(this.axis_.inputs)) input.checked = value === axis;
    }

    renderRows() {
      const shown = this.shown(), { leaves } = this;
      this.rows.forEach(({ box, input, line, words, score, sizes, away }, i) => {
        const run = shown[i];
        put(box, { class: `n2n-row${run ? "" : " n2n-lab-free"}` });
        input.disabled = !this.runs[i];
        input.checked = Boolean(this.runs[i]) && i === this.chosen;
        const gone = !this.runs[i] || i === 0 || !leaves.includes(this.runs[i]);
        put(away, { class: gone ? "n2n-lab-none" : "", "aria-label": run ? `Remove ${run.letter}` : "Remove" });
        away.disabled = gone;
        if (!run) return;
        put(line, { style: this.look(run.kind) });
        say(words, `${run.letter} ${KINDS[run.kind].name}`);
        const last = run.points.at(-1);
        say(score, last ? percent(last[2]) : "");
        const from = this.runs[i]?.parent;
        const time = last ? ` · ${count(last[0])} updates · ${last[1].toFixed(1)} s` : "";
        say(sizes, `${run.sizes.join("-")}${from && from !== this.runs[0] ? ` from ${from.letter}` : ""}${time}`);
      });
      say(this.legend, this.runs.length ? "Choose one to see and grow" : "Networks of the recorded run");
    }

    look(kind) {
      const { color, dash } = KINDS[kind];
      return `stroke: var(--n2n-${color})${dash ? `; stroke-dasharray: ${dash}` : ""}`;
    }

    renderPlot() {
      const wide = this.widthOf(this.plot) || 700, { left, right, top, bottom } = EDGE, shown = this.shown();
      const at = this.state.axis === "seconds" ? 1 : 0;
      const most = Math.max(...shown.flatMap(({ points }) => points.map((point) => point[at])), at ? 0.05 : 100);
      const unit = 10 ** Math.floor(Math.log10(most / 2.5)), step = unit * [1, 2, 5, 10].find((m) => most / (unit * m) <= 5);
      const px = (x) => left + (x / most) * (wide - left - right);
      // Equal distances cut the errors by equal factors.
      const scale = (accuracy) => -Math.log(1.001 - Math.min(accuracy, 0.98)), [low, high] = [scale(0.05), scale(0.97)];
      const py = (accuracy) => top + ((high - scale(accuracy)) / (high - low)) * (HIGH - top - bottom);
      put(this.frameLine, { d: `M${left} ${top}V${HIGH - bottom}H${wide - right}` });
      for (const { level, line, text } of this.levels) {
        put(line, { x1: left, x2: wide - right, y1: py(level), y2: py(level) });
        put(text, { x: left - 7, y: py(level) + 4 });
      }
      this.ticks.forEach((text, i) => {
        const x = i * step;
        say(text, x <= most ? (at ? `${Number(x.toPrecision(3))}` : count(x)) : "");
        put(text, { x: px(Math.min(x, most)), y: HIGH - bottom + 16 });
      });
      say(this.axisName, at ? (this.runs.length ? "seconds of training, in this page" : "seconds of training, in NumPy") : "updates of 32 digits");
      put(this.axisName, { x: wide - right, y: HIGH - 4 });
      say(this.stamp, this.runs.length ? "" : "recorded run");
      put(this.stamp, { x: wide - right - 6, y: HIGH - bottom - 10 });
      const ends = [];
      this.curves.forEach(({ path, dot, text }, i) => {
        const run = shown[i], any = run?.points.length;
        put(path, { d: any ? `M${run.points.map((p) => `${px(p[at]).toFixed(1)} ${py(p[2]).toFixed(1)}`).join("L")}` : "" });
        put(dot, { visibility: any ? "visible" : "hidden" });
        say(text, any ? run.letter : "");
        if (!any) return;
        const chosen = this.runs.length && i === this.chosen;
        put(path, { style: `${this.look(run.kind)}; stroke-width: ${chosen ? 3.4 : 2}` });
        put(dot, { cx: px(run.points[0][at]), cy: py(run.points[0][2]), style: `fill: var(--n2n-${KINDS[run.kind].color})` });
        const end = run.points.at(-1);
        const inner = end[at] < 0.97 * most;
        ends.push({ text, x: px(end[at]) + (inner ? -9 : 6), y: py(end[2]) + (inner ? -9 : 4), color: `var(--n2n-${KINDS[run.kind].color})` });
      });
      Net2NetElement.spread(ends, HIGH - bottom);
      put(this.plot, { viewBox: `0 0 ${wide} ${HIGH}`, "aria-label": this.picture(shown) });
    }

    picture(shown) {
      const lines = shown.filter(({ points }) => points.length).map(({ kind, letter, points }) =>
        `${letter}, ${KINDS[kind].name}, from ${percent(points[0][2])} to ${percent(points.at(-1)[2])}`);
      return `Validation accuracy over ${this.state.axis === "seconds" ? "seconds of training" : "updates"}${this.runs.length ? "" : ", a recorded run"}: ${lines.join("; ")}.`;
    }

    renderGrowth() {
      const ready = Boolean(this.run), full = this.runs.length + this.wanted.length >= PLACES;
      const { least, most, chosen } = ready ? this.widths(this.run) : {}, wide = ready && least <= most, deep = ready && this.run.net.layers.length <= MOST_LAYERS;
      say(this.growLegend, !ready ? "Grow it, once there is a teacher" : full ? "No room to grow: remove one" : `Grow ${this.run.letter}, ${this.run.net.sizes.join("-")}`);
      const limits = { min: wide ? least : 8, max: wide ? most : MOST_UNITS }, width = wide ? chosen : 4 * this.state.units;
      this.slide(this.target_, limits, width, ready && !wide ? `${MOST_UNITS} at most` : `${width} units`);
      this.target_.input.disabled = !wide;
      for (const [kind, button] of this.makers_) {
        const { wider, deeper } = KINDS[kind] ?? {};
        button.disabled = !ready || full || (wider && !wide) || (deeper && !deep) || (kind === "all" && !(wide && deep));
      }
    }

    renderInside() {
      const { digits } = this, there = this.looking, run = there ? this.run : this.shown().find(({ look }) => look);
      for (const control of [this.digit_.input, this.mistake, this.clearPad]) control.disabled = !there;
      put(this.pad, { tabindex: there ? 0 : -1, "aria-disabled": !there });
      this.looked = there ? { ...this.lookInto(run.net), origins: run.origins } : run?.look;
      if (!there && run) this.ink.set([...run.look.digit].map(Number));
      this.renderPad();
      const number = there ? this.digit + 1 : 0;
      const label = there ? (number ? digits.labels[digits.train + this.digit] : undefined) : run?.look.label;
      say(this.digit_.output, !there ? "" : number ? `${number}: a ${label}` : "yours");
      if (there && number && this.digit_.input.value !== String(number)) this.digit_.input.value = number;
      put(this.digit_.input, { "aria-valuetext": number ? `${number}, a ${label}` : "drawn by you" });
      const answer = this.looked ? this.seenAs() : undefined;
      say(this.insideName, run ? `Inside ${run.letter}: it takes ${label === undefined ? "your drawing" : `this ${label}`} for a ${answer}` : "Inside a network, once there is one");
      const wide = this.widthOf(this.inside) || 480, gutter = 58, high = 262, outTop = 166;
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
      put(this.inside, {
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
  }

  if (!customElements.get("net2net-lab")) customElements.define("net2net-lab", Lab);
}
