/* The lab's networks, without a page: 784-n-10 or 784-n-n-10, ReLU, softmax, SGD with momentum, float64, trained on the
   digits that helpers/show/lab.py packs. That module is the twin these are compared with: the same seed draws the same
   weights and the same batches there. What a training run does is written as generators, which whoever draws the page
   runs in slices. */

globalThis.Net2NetLab ??= (() => {
  const { range } = Net2Net;

  const BATCH = 32, MOMENTUM = 0.9, EVERY = 25;
  const CHUNK = 100;           // validation digits between two looks at the clock
  const MOST_UNITS = 64, MOST_LAYERS = 4, MOST_RUNS = 9;
  const HOLD = 4;              // measured points in a row for which a network must be ahead

  /* What a network can become; `kept`: it begins as the function that it comes from. */
  const KINDS = {
    teacher: { name: "teacher", color: "u7" },
    noise: { name: "wider, noise", button: "Copies, noise that cancels", color: "u6", kept: true, wider: true },
    unequal: { name: "wider, unequal", button: "Copies, unequal shares", color: "u2", kept: true, wider: true },
    equal: { name: "wider, equal", button: "Copies, equal shares", color: "u0", kept: true, wider: true },
    "fresh-wider": { name: "wider, fresh", button: "Start fresh, wider", color: "u5", dash: "6 3", wider: true },
    deeper: { name: "deeper", button: "Identity layer", color: "u3", kept: true, deeper: true },
    "fresh-deeper": { name: "deeper, fresh", button: "Start fresh, deeper", color: "u5", dash: "2 3", deeper: true },
    "goes-on": { name: "goes on", button: "Go on as it is", color: "u4", dash: "2 3", kept: true },
    padded: { name: "wider, padded", button: "Pad at random", color: "u1", dash: "9 3 2 3", wider: true },
  };
  const isFresh = (kind) => kind.startsWith("fresh");

  /* Runs that are known to end as their names say; tests/test_lab.py repeats them over seeds. A plan trains a teacher for
     `before` updates, grows it into all of `grow`, kinds and widths, and trains those for `after` updates. */
  const PRESETS = {
    wins: {
      name: "Growing wins: a good teacher, little time",
      state: { units: 16, layers: 1, bill: 0, axis: "work" },
      plan: { before: 3000, grow: [["noise", 32], ["fresh-wider", 32]], rate: 0.02, later: 0.02, after: 150 },
    },
    loses: {
      name: "Growing loses: a teacher to pay, much time",
      state: { units: 8, layers: 1, bill: 1, axis: "work" },
      plan: { before: 300, grow: [["noise", 32], ["fresh-wider", 32]], rate: 0.02, later: 0.02, after: 900 },
    },
  };

  const percent = (part) => `${(100 * part).toFixed(1)} %`;
  const count = (n) => n.toLocaleString("en-US");

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
      this.work = 0;           // multiply-adds: three for each weight and digit, one on the way forward and two back
    }

    static fresh(sizes, seed, drawn, generation) {
      const rng = new Net2Net.Rng(drawn);
      const layers = range(sizes.length - 1).map((i) => {
        const n = sizes[i], q = sizes[i + 1], scale = Math.sqrt(6 / (n + q));
        return { w: Float64Array.from({ length: n * q }, () => rng.uniform(-1, 1) * scale), b: new Float64Array(q) };
      });
      return new Network(layers, seed, generation);
    }

    /* A network that has learned nothing yet, with one or two hidden layers. */
    static teacher(units, layers, seed) {
      return Network.fresh([784, ...Array(layers).fill(units), 10], seed, 1000 * seed + 500, 0);
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
      for (const { w } of this.layers) this.work += 3 * BATCH * w.length;
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
      } else if (isFresh(kind)) {
        const hidden = kind === "fresh-wider" ? this.hidden.map((q) => Math.max(q, width)) : [...this.hidden, sizes.at(-2)];
        grown = Network.fresh([sizes[0], ...hidden, sizes.at(-1)], this.seed, drawn, this.generation + 1);
        from = hidden.map((q) => Array(q).fill(-1));
      }
      grown ??= new Network(layers.map(({ w, b }) => ({ w: w.flat(), b })), this.seed, this.generation + 1);
      grown.updates = this.updates;
      grown.work = this.work;
      return [grown, from];
    }
  }

  /* Measure how many validation digits a network recognizes, in pieces; the last value is the part. */
  function* measured(net, digits) {
    const { labels, train, all } = digits;
    let right = 0;
    for (let d = train; d < all; d++) {
      if (net.answer(digits, d) === labels[d]) right += 1;
      if ((d - train) % CHUNK === CHUNK - 1) yield;
    }
    return right / (all - train);
  }

  /* Make a plan's networks with one seed, in pieces; the last value is the runs with their points. */
  function* tried(digits, { units, layers }, plan, seed) {
    const runs = [], first = Network.teacher(units, layers, seed);
    const train = function* (net, kind, parent, updates, rate) {
      const points = [];
      for (const stop = net.updates + updates; ;) {
        points.push([net.updates, net.work, yield* measured(net, digits)]);
        if (net.updates >= stop) break;
        do {
          net.update(digits, rate);
          yield;
        } while (net.updates % EVERY && net.updates < stop);
      }
      runs.push({ kind, parent, sizes: net.sizes, points });
    };
    yield* train(first, "teacher", -1, plan.before, plan.rate);
    for (const [kind, width] of plan.grow) yield* train(first.grow(kind, width, first.hidden.map(range))[0], kind, 0, plan.after, plan.later);
    return runs;
  }

  /* Medians and ranges of the same plan's runs over seeds: points with a least and a greatest accuracy behind the median. */
  function band(tries) {
    return tries[0].map((run, r) => ({
      ...run,
      points: run.points.map(([updates, work], p) => {
        const all = tries.map((runs) => runs[r].points[p][2]).sort((a, b) => a - b), half = (all.length - 1) / 2;
        return [updates, work, (all[Math.floor(half)] + all[Math.ceil(half)]) / 2, all[0], all.at(-1)];
      }),
    }));
  }

  /* Curves on an axis, column `at` of the points: 0 for updates, 1 for work. Zero is where the bill begins, and `bill` the
     part of the teacher's training that is on it. `runs` name their parents by place; the first is the teacher. What
     began from scratch, and what was made of that, has no teacher to pay. */
  function placed(runs, at, bill) {
    const spent = runs.some(({ parent, points }) => parent === 0 && points.length) ? runs[0].points.at(-1)[at] : 0;
    const free = ({ kind, parent }) => isFresh(kind) || (parent > 0 && free(runs[parent]));
    return runs.map((run) => {
      const less = free(run) ? spent : (1 - bill) * spent;
      return run.points.map((point) => [point[at] - less, ...point.slice(2)]);
    });
  }

  /* The accuracy of a placed curve at x, on the line between its points. */
  function accuracyAt(points, x) {
    const next = points.findIndex((point) => point[0] >= x);
    if (next <= 0) return points.at(next)[1];
    const [[x0, y0], [x1, y1]] = [points[next - 1], points[next]];
    return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
  }

  /* Two placed curves where both are there. `at`: the point at which the network from scratch passes the grown one, the
     first of HOLD points in a row at which it is ahead; undefined if there is none yet. `atOnce`: it is ahead all along.
     `lead`: by how much the grown one is ahead where the shorter curve ends. Undefined where they have no stretch in common. */
  function compared(grown, fresh) {
    if (!grown.length || !fresh.length) return undefined;
    const from = Math.max(grown[0][0], fresh[0][0]), to = Math.min(grown.at(-1)[0], fresh.at(-1)[0]);
    if (to <= from) return undefined;
    const both = fresh.filter(([x]) => x >= from && x <= to), ahead = both.map(([x, y]) => y > accuracyAt(grown, x));
    const first = both.findIndex((_, i) => i + HOLD <= both.length && ahead.slice(i, i + HOLD).every(Boolean));
    return { at: both[first], atOnce: first === 0, lead: accuracyAt(grown, to) - accuracyAt(fresh, to) };
  }

  const sameSizes = (a, b) => `${a.sizes}` === `${b.sizes}`;

  /* A grown network and the one of its size from scratch, as places in `runs`: those of `chosen` if it has a rival, or the
     first that there are; undefined if there are none. */
  function rivals(runs, chosen) {
    const pairs = runs.flatMap((grown, g) => (isFresh(grown.kind) || grown.parent < 0 ? [] : runs.flatMap(
      (fresh, f) => (isFresh(fresh.kind) && sameSizes(grown, fresh) ? [[g, f]] : []))));
    return pairs.find((pair) => pair.includes(chosen)) ?? pairs[0];
  }

  // ---------------------------------------------------------------- a run in an address

  const KEY = "#lab?";

  function toAddress(state, plan) {
    const { units, layers, seed, rate, bill, axis } = { ...state, rate: plan.rate };
    const grow = plan.grow.map(([kind, width]) => `${kind}.${width}`).join("_");
    const all = { units, layers, seed, bill, axis, rate, later: plan.later, before: plan.before, after: plan.after, grow };
    return KEY + Object.entries(all).map(([name, value]) => `${name}=${value}`).join("&");
  }

  /* The settings and the plan in an address, without what makes no sense; undefined if no plan is left. */
  function fromAddress(address) {
    if (!address.startsWith(KEY)) return undefined;
    const given = new URLSearchParams(address.slice(KEY.length)), seed = Number(given.get("seed"));
    const whole = (name, most) => { const n = Number(given.get(name)); return n >= 0 && n <= most ? Math.round(n) : 0; };
    const numbers = ["units", "layers", "bill"].filter((name) => Number(given.get(name)) || given.get(name) === "0");
    const state = Object.fromEntries(numbers.map((name) => [name, Number(given.get(name))]));
    if (Number.isInteger(seed) && given.has("seed")) state.seed = seed;
    if (given.has("axis")) state.axis = given.get("axis");
    const rates = ["rate", "later"].map((name) => Number(given.get(name))).map((rate) => (rate > 0 && rate <= 0.1 ? rate : 0.02));
    const grow = (given.get("grow") ?? "").split("_").map((one) => one.split("."))
      .filter(([kind, width]) => kind !== "teacher" && Object.hasOwn(KINDS, kind) && width >= 5 && width <= MOST_UNITS)
      .map(([kind, width]) => [kind, Math.round(width)]).slice(0, MOST_RUNS - 1);
    const before = whole("before", 20000), after = whole("after", 20000);
    return before ? { state, plan: { before, grow, rate: rates[0], later: rates[1], after } } : undefined;
  }

  return {
    EVERY, KINDS, MOST_LAYERS, MOST_RUNS, MOST_UNITS, PRESETS, Network, band, compared, count, fromAddress, isFresh, measured, percent, placed, rivals,
    toAddress, tried, unpack,
  };
})();
