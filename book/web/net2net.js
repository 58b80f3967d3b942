/* The mathematics of Net2Net in float64: what `helpers/weights.py` does, for the explorables of the book.

   Names, order of axes and order of draws are those of helpers.weights, where everything is explained. A kernel is a
   nested array: its innermost rows run over the layer's outputs, the level above over its inputs, levels above that
   over positions. What comes in is never changed. A seed draws what NumPy's `default_rng(seed)` draws, so that a page
   and a notebook show the same network. tests/fixtures/net2net.json holds both to it. */

globalThis.Net2Net ??= (() => {
  "use strict";

  const PAD_STDDEV = 0.1, PAD_BIAS = 0.1;
  const SHARED = ["equal", "random"];  // one share for each unit
  const SPLITS = [...SHARED, "weights", "noise"];

  class Net2NetError extends Error {}

  const need = (holds, message) => { if (!holds) throw new Net2NetError(message); };
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const isWidth = (n, least) => Number.isInteger(n) && n >= least;

  // ---------------------------------------------------------------- NumPy's generator

  /* SeedSequence: a seed becomes 256 well mixed bits. */
  function seedWords(seed) {
    const words = [];
    for (let rest = BigInt(seed); rest > 0n || !words.length; rest >>= 32n) words.push(Number(rest & 0xffffffffn));
    const hash = (start, factor) => {
      let constant = start;
      return (value) => {
        value ^= constant;
        constant = Math.imul(constant, factor);
        value = Math.imul(value, constant);
        return (value ^ (value >>> 16)) >>> 0;
      };
    };
    const into = hash(0x43b0d7e5, 0x931e8875), out = hash(0x8b51f9dd, 0x58f38ded);
    const mix = (x, y) => {
      const mixed = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
      return (mixed ^ (mixed >>> 16)) >>> 0;
    };
    const pool = range(4).map((i) => into(words[i] ?? 0));
    for (const from of range(4))
      for (const to of range(4)) if (from !== to) pool[to] = mix(pool[to], into(pool[from]));
    for (const word of words.slice(4)) for (const to of range(4)) pool[to] = mix(pool[to], into(word));
    return range(8).map((i) => BigInt(out(pool[i % 4])));
  }

  /* The layers of the ziggurat under the normal density, as Marsaglia and Tsang (2000) cut it. */
  const ziggurat = (() => {
    const R = 3.6541528853610088, V = 0.00492867323397465524494;
    const density = (x) => Math.exp(-0.5 * x * x);
    const edge = new Float64Array(257);
    edge[256] = V / density(R);
    edge[255] = R;
    for (let i = 254; i > 0; i--) edge[i] = Math.sqrt(-2 * Math.log(V / edge[i + 1] + density(edge[i + 1])));
    return {
      R,
      scale: range(256).map((i) => edge[i || 256] / 2 ** 52),
      inside: range(256).map((i) => (i ? edge[i - 1] / edge[i] : R / edge[256]) * 2 ** 52),
      height: range(256).map((i) => density(edge[i])),
    };
  })();

  /* PCG64 with the draws that Net2Net needs. */
  class Rng {
    #state = 0n;
    #step;
    #half = null;

    constructor(seed) {
      need(Number.isSafeInteger(seed) && seed >= 0, `seed: expected a whole number of at least 0, got ${seed}`);
      const words = seedWords(seed);
      const long = (i) => (((words[i + 1] << 32n) | words[i]) << 64n) | (words[i + 3] << 32n) | words[i + 2];
      this.#step = BigInt.asUintN(128, (long(4) << 1n) | 1n);
      this.#next();
      this.#state += long(0);
      this.#next();
    }

    #next() {
      this.#state = BigInt.asUintN(128, this.#state * 0x2360ed051fc65da44385df649fccf645n + this.#step);
      const folded = BigInt.asUintN(64, (this.#state >> 64n) ^ this.#state), turn = this.#state >> 122n;
      return BigInt.asUintN(64, (folded >> turn) | (folded << (64n - turn)));
    }

    #next32() {
      if (this.#half !== null) {
        const high = this.#half;
        this.#half = null;
        return high;
      }
      const both = this.#next();
      this.#half = both >> 32n;
      return both & 0xffffffffn;
    }

    /* On [0, 1). */
    random() { return Number(this.#next() >> 11n) / 2 ** 53; }

    uniform(low, high) { return low + (high - low) * this.random(); }

    /* From 0..n-1, each with the same chance (Lemire's method). */
    integer(n) {
      const m = BigInt(n);
      if (n === 1) return 0;
      for (;;) {
        const product = this.#next32() * m;
        if ((product & 0xffffffffn) >= (0x100000000n - m) % m) return Number(product >> 32n);
      }
    }

    /* Whole numbers from 0 to 255: each draw of 32 bits gives four, and what is left of the last one is lost. */
    bytes(count) {
      let word = 0n;
      return range(count).map((i) => {
        word = i % 4 ? word >> 8n : this.#next32();
        return Number(word & 0xffn);
      });
    }

    normal() {
      for (;;) {
        let bits = this.#next();
        const layer = Number(bits & 0xffn), negative = bits & 0x100n;
        const place = Number((bits >> 9n) & 0xfffffffffffffn);
        const x = (negative ? -1 : 1) * place * ziggurat.scale[layer];
        if (place < ziggurat.inside[layer]) return x;
        if (layer === 0) {
          for (;;) {
            const over = -Math.log1p(-this.random()) / ziggurat.R, y = -Math.log1p(-this.random());
            if (2 * y > over * over) return (bits >> 17n) & 1n ? -(ziggurat.R + over) : ziggurat.R + over;
          }
        }
        const { height } = ziggurat;
        if ((height[layer - 1] - height[layer]) * this.random() + height[layer] < Math.exp(-0.5 * x * x)) return x;
      }
    }
  }

  const asRng = (rng) => (rng instanceof Rng ? rng : new Rng(rng ?? 0));

  // ---------------------------------------------------------------- mappings and shares

  function randomMapping(n, q, rng) {
    need(isWidth(n, 1), `n: expected a whole number of at least 1, got ${n}`);
    need(isWidth(q, n), `q: expected a width of at least n = ${n}, got ${q}; Net2Net only adds units`);
    const source = asRng(rng);
    return range(q).map((j) => (j < n ? j : source.integer(n)));
  }

  function replicationCounts(mapping) {
    need(mapping.length && mapping.every((k) => isWidth(k, 0)), `mapping: expected a row of integers, got ${mapping}`);
    const counts = Array(Math.max(...mapping) + 1).fill(0);
    for (const k of mapping) counts[k] += 1;
    need(!counts.includes(0), `mapping: expected every unit at least once, got ${mapping}`);
    return counts;
  }

  /* Numbers in proportion to `parts` that sum to one over the copies of each unit. */
  function sharesOf(mapping, parts) {
    const sums = replicationCounts(mapping).fill(0);
    mapping.forEach((k, j) => { sums[k] += parts[j]; });
    return mapping.map((k, j) => parts[j] / sums[k]);
  }

  function copyShares(mapping, split = "equal", rng = 0) {
    const counts = replicationCounts(mapping);
    if (split === "equal") return mapping.map((k) => 1 / counts[k]);
    need(split === "random", `split: expected one of ${SHARED}, got ${split}`);
    const source = asRng(rng);
    return sharesOf(mapping, mapping.map(() => source.uniform(0.2, 1)));
  }

  // ---------------------------------------------------------------- placing an array's entries by a mapping

  const rank = (array) => (Array.isArray(array) ? 1 + rank(array[0]) : 0);
  /* Apply `change` to every part of `array` that lies `level` levels down. */
  const at = (level, array, change) => (level ? array.map((part) => at(level - 1, part, change)) : change(array));
  const flip = (rows) => rows[0].map((_, j) => rows.map((row) => row[j]));
  /* Apply `change` to each row over the axis that counts outputs, or over the one that counts inputs. */
  const onOutputs = (array, change) => at(rank(array) - 1, array, change);
  const onInputs = (array, change) => at(rank(array) - 2, array, (rows) => flip(flip(rows).map(change)));

  const placeOutputs = (array, mapping) => onOutputs(array, (row) => mapping.map((k) => row[k]));
  const placeInputs = (array, mapping, shares) =>
    at(rank(array) - 2, array, (rows) => mapping.map((k, j) => rows[k].map((w) => w * shares[j])));

  /* Let the axis that counts inputs follow `mapping`, so that copies differ in every weight. "weights": each weight has
     shares of its own; "noise": equal shares, and noise as large as the weights, whose mean over the copies is taken away;
     as large as a new layer's weights where all are 0. */
  function placeParted(array, mapping, split, rng) {
    const counts = replicationCounts(mapping), source = asRng(rng), all = array.flat(Infinity);
    const kernels = rank(array) > 2 ? array.flat(rank(array) - 3) : [array], outputs = kernels[0][0].length;
    // Drawn unit by unit: a unit keeps its draws while others come.
    const bytes = source.bytes(mapping.length * kernels.length * outputs);
    const drawn = (j, p, o) => {
      const byte = bytes[(j * kernels.length + p) * outputs + o];
      if (split === "noise") return byte;
      return counts[mapping[j]] === 1 ? 1 : byte + 64;  // away from 0, so that no copy starts cut off from the next layer
    };
    const theirs = Math.sqrt(all.reduce((sum, w) => sum + w * w, 0) / all.length);
    const size = (theirs || Math.sqrt(outputs / all.length)) / Math.sqrt((256 ** 2 - 1) / 12);
    let kernel = 0;
    return at(rank(array) - 2, array, (rows) => {
      const p = kernel++, sums = rows.map((row) => row.map(() => 0));
      mapping.forEach((k, j) => sums[k].forEach((_, o) => { sums[k][o] += drawn(j, p, o); }));
      return mapping.map((k, j) => rows[k].map((w, o) => {
        if (split === "weights") return (w / sums[k][o]) * drawn(j, p, o);
        const noise = counts[k] > 1 ? size / counts[k] : 0;
        return w / counts[k] - sums[k][o] * (noise / counts[k]) + drawn(j, p, o) * noise;
      }));
    });
  }

  /* Disturb the copies: each weight w into a unit from n on becomes w (1 + noise e). */
  const addNoise = (array, n, noise, rng) =>
    onOutputs(array, (row) => row.map((w, j) => (j < n ? w : w * (1 + noise * rng.normal()))));

  /* Random weights from unit n on: the baseline's way. */
  const padding = (n, rng) => (row) => row.map((w, j) => (j < n ? w : PAD_STDDEV * rng.normal()));

  // ---------------------------------------------------------------- wider

  /* Options: init, mapping, split, noise, rng as in Python. */
  function wider(w1, b1, w2, q, { init = "net2wider", mapping, split = "noise", noise = 0, rng = 0 } = {}) {
    const n = b1 ? b1.length : at(rank(w1) - 1, w1, (row) => row.length).flat(Infinity)[0];
    need(isWidth(q, n + 1), `new_width: expected more than the ${n} units that there are, got ${q}`);
    need(init === "net2wider" || init === "randompad", `init: expected 'net2wider' or 'randompad', got ${init}`);
    need(SPLITS.includes(split), `split: expected one of ${SPLITS}, got ${split}`);
    need(noise >= 0 && noise < Infinity, `noise: expected a standard deviation of 0 or more, got ${noise}`);
    const source = asRng(rng);
    const units = mapping ?? randomMapping(n, q, source);
    need(units.length === q && units.every((k, j) => isWidth(k, 0) && k < n && (j >= n || k === j)),
      `mapping: expected ${q} units of 0..${n - 1}, the first ${n} in order, got ${units}`);
    let u1 = placeOutputs(w1, units), c1 = b1 && placeOutputs(b1, units), u2;
    if (init === "randompad") {
      u1 = onOutputs(u1, padding(n, source));
      u2 = onInputs(placeInputs(w2, units, units.map(() => 1)), padding(n, source));
      c1 = c1 && c1.map((b, j) => (j < n ? b : PAD_BIAS));
    } else {
      u2 = SHARED.includes(split) ? placeInputs(w2, units, copyShares(units, split, source))
        : placeParted(w2, units, split, source);
      if (noise) u1 = addNoise(u1, n, noise, source);
    }
    return [u1, c1, u2];
  }

  function wider2netFc(w1, b1, w2, q, options) {
    need(rank(w1) === 2 && rank(w2) === 2 && w2.length === w1[0].length, "w2: its rows must be w1's columns");
    return wider(w1, b1, w2, q, options);
  }

  function wider2netConv2d(w1, b1, w2, q, options) {
    if (rank(w2) > 2) return wider(w1, b1, w2, q, options);
    // Behind a Flatten the rows count the channels of the first position, then those of the second, and so on.
    const n = at(rank(w1) - 1, w1, (row) => row.length).flat(Infinity)[0];
    need(w2.length % n === 0, `w2: expected a multiple of ${n} rows behind a Flatten, got ${w2.length}`);
    const byPosition = range(w2.length / n).map((p) => w2.slice(p * n, (p + 1) * n));
    const [u1, c1, u2] = wider(w1, b1, byPosition, q, options);
    return [u1, c1, u2.flat()];
  }

  // ---------------------------------------------------------------- deeper

  const identity = (n) => range(n).map((i) => range(n).map((j) => (i === j ? 1 : 0)));
  const zeros = (n) => Array(n).fill(0);

  const deeper2netFc = (width) => [identity(width), zeros(width)];

  /* `tap` puts the identity elsewhere than where 'same' padding wants it; the image then moves. */
  function deeper2netConv2d(channels, [height, width], tap = [(height - 1) >> 1, (width - 1) >> 1]) {
    const here = (i, j) => (i === tap[0] && j === tap[1] ? identity(channels) : range(channels).map(() => zeros(channels)));
    return [range(height).map((i) => range(width).map((j) => here(i, j))), zeros(channels)];
  }

  // ---------------------------------------------------------------- what networks do with weights

  /* The error function by its series without cancellation. */
  function erf(x) {
    const t = Math.abs(x);
    if (t > 6) return Math.sign(x);
    let term = t, sum = t;
    for (let k = 1; term > sum * 1e-17; k++) sum += term *= (2 * t * t) / (2 * k + 1);
    return (Math.sign(x) * 2 * Math.exp(-t * t) * sum) / Math.sqrt(Math.PI);
  }

  /* By Keras' names, with Keras' default settings. */
  const activations = {
    relu: (v) => (v > 0 ? v : 0),
    relu6: (v) => Math.min(Math.max(v, 0), 6),
    linear: (v) => v,
    leaky_relu: (v) => (v > 0 ? v : 0.2 * v),
    elu: (v) => (v > 0 ? v : Math.expm1(v)),
    sigmoid: (v) => 1 / (1 + Math.exp(-v)),
    tanh: Math.tanh,
    gelu: (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
    silu: (v) => v / (1 + Math.exp(-v)),
  };

  /* A network's output for one number `x`: one number in, `layers` of {w, b, activation}, one number out. */
  function compute(layers, x) {
    let values = [x];
    for (const { w, b, activation = "linear" } of layers) {
      const phi = activations[activation];
      values = b.map((start, j) => {
        let sum = 0;
        for (let i = 0; i < values.length; i++) sum += values[i] * w[i][j];
        return phi(sum + start);
      });
    }
    return values[0];
  }

  /* One channel in and out, padding 'same', strides of 1: `image` and `kernel` are rows of numbers. */
  function convolveSame(image, kernel) {
    const top = (kernel.length - 1) >> 1, left = (kernel[0].length - 1) >> 1;
    return image.map((row, y) => row.map((_, x) => {
      let sum = 0;
      kernel.forEach((taps, i) => taps.forEach((tap, j) => { sum += tap * (image[y + i - top]?.[x + j - left] ?? 0); }));
      return sum;
    }));
  }

  const largestGap = (a, b) => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

  return {
    Net2NetError, Rng, PAD_STDDEV, PAD_BIAS, range,
    randomMapping, replicationCounts, copyShares, sharesOf, placeOutputs, placeInputs, placeParted, addNoise, padding,
    wider2netFc, wider2netConv2d, deeper2netFc, deeper2netConv2d, activations, erf, compute, convolveSame, largestGap,
  };
})();
