/* Reading a Keras model in the page, and counting what it costs before and after it is widened. It knows no page.

   A model comes as typed words, as the text of `model.summary()`, or as a .keras file. Each becomes a list of layers with
   their settings; `read` ties channels that have one width into groups; `plan` widens the groups and counts. What it
   cannot read it names, in an error whose message is for the reader. */

globalThis.Net2NetReading ??= (() => {
  class Told extends Error {}            // a sentence for the reader
  class Unread extends Told {}           // a layer that Python must be asked about
  const tell = (words) => { throw new Told(words); };

  const product = (numbers) => numbers.reduce((all, n) => all * (n ?? 1), 1);
  const total = (row, width) => row.reduce((sum, { group, times }) => sum + times * width(root(group)), 0);
  const root = (group) => { while (group.into) group = group.into; return group; };
  const old = (group) => group.width;
  const pair = (value, rank) => (Array.isArray(value) ? value : Array(rank).fill(value));
  const grouped = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");

  // ---------------------------------------------------------------- groups of channels

  const OUTPUT = "it is the model's output", INPUT = "it is the model's input";
  const MEAN = "its normalization takes a mean over channels, so it needs a whole factor, such as 2";
  const SOFTMAX = "softmax mixes its channels", BROADCAST = "its only channel meets many";

  const pin = (row, why) => { for (const { group } of row) root(group).fixed ??= why; };

  const stays = (row) => row.every(({ group }) => root(group).fixed);

  /* One width for two groups. */
  function join(one, other) {
    const [a, b] = [root(one), root(other)];
    if (a === b) return;
    const [first, second] = a.number < b.number ? [a, b] : [b, a];
    for (const list of ["makers", "followers", "ties"]) first[list].push(...second[list]);
    first.fixed ??= second.fixed;
    second.into = first;
  }

  /* The rows of a sum or product: channel by channel they have one width. */
  function tie(layer, rows) {
    const most = Math.max(...rows.map((row) => total(row, old)));
    const wide = rows.filter((row) => total(row, old) === most || total(row, old) !== 1);
    for (const row of rows) if (!wide.includes(row)) pin(row, BROADCAST);
    for (const row of wide.slice(1)) {
      const fits = row.length === wide[0].length && row.every(({ group, times }, i) =>
        times === wide[0][i].times && root(group).width === root(wide[0][i].group).width);
      if (!fits) throw new Unread(`${layer.name} (${layer.class}), which joins parts of different widths`);
      row.forEach(({ group }, i) => join(wide[0][i].group, group));
    }
    for (const { group } of wide[0]) if (!root(group).ties.includes(layer.name)) root(group).ties.push(layer.name);
    return wide[0];
  }

  // ---------------------------------------------------------------- layers

  const ELEMENTWISE = new Set(("linear relu relu6 elu selu gelu silu swish tanh sigmoid hard_sigmoid hard_silu hard_swish softplus "
    + "softsign exponential leaky_relu mish").split(" "));

  function activate(layer, row, given = layer.config.activation) {
    const name = String(given?.class_name ?? given?.config ?? given ?? "linear").replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
    if (name === "softmax") pin(row, SOFTMAX);
    else if (!ELEMENTWISE.has(name.replace("re_lu", "relu"))) throw new Unread(`${layer.name} (${layer.class}), which has the activation ${name}`);
  }

  const slide = (n, k, step, padding, spread = 1) =>
    (n == null ? null : padding === "valid" ? Math.ceil((n - (k - 1) * spread) / step) : Math.ceil(n / step));

  /* The places that a kernel or a pool visits. */
  function places({ config: c }, { shape }, size) {
    const rank = shape.length - 1, sizes = pair(size, rank), steps = pair(c.strides ?? (c.kernel_size ? 1 : size), rank), spread = pair(c.dilation_rate ?? 1, rank);
    return shape.slice(0, -1).map((n, i) => slide(n, sizes[i], steps[i], c.padding ?? "valid", spread[i]));
  }

  const last = (layer, axis, rank) => {
    const axes = [axis ?? -1].flat();
    if (axes.length !== 1 || ![-1, rank].includes(axes[0])) throw new Unread(`${layer.name} (${layer.class}), which works along another axis than the last`);
  };
  const only = (layer, fine, why) => { if (!fine) throw new Unread(`${layer.name} (${layer.class}), which ${why}`); };
  const same = (layer, [x]) => x;

  function convolve(layer, [x], net) {
    const c = layer.config, shape = places(layer, x, c.kernel_size), row = net.make(layer, c.filters), k = product(pair(c.kernel_size, shape.length));
    only(layer, (c.groups ?? 1) === 1, "has groups of its own");
    net.weigh(layer, [k, x.row, row], layer.shape ? product(layer.shape.slice(0, -1)) : product(shape));
    if (c.use_bias ?? true) net.weigh(layer, [row]);
    activate(layer, row);
    return { shape: [...shape, c.filters], row };
  }

  function depthwise(layer, [x], net) {
    const c = layer.config, shape = places(layer, x, c.kernel_size), k = product(pair(c.kernel_size, shape.length)), at = product(layer.shape?.slice(0, -1) ?? shape);
    only(layer, (c.depth_multiplier ?? 1) === 1, "has a depth multiplier");
    net.weigh(layer, [k, x.row], at);
    net.led.push({ layer, row: x.row });
    const row = c.filters ? net.make(layer, c.filters) : x.row;
    if (c.filters) net.weigh(layer, [x.row, row], at);
    if (c.use_bias ?? true) net.weigh(layer, [row]);
    activate(layer, row);
    return { shape: [...shape, c.filters ?? x.shape.at(-1)], row };
  }

  const recurrent = (gates) => (layer, [x], net) => {
    const c = layer.config, row = net.make(layer, c.units), steps = x.shape[0];
    only(layer, !c.return_state, "hands on its state");
    net.weigh(layer, [gates, x.row, row], steps ?? 1);
    net.weigh(layer, [gates, row, row], steps ?? 1);
    if (c.use_bias ?? true) net.weigh(layer, [gates * (gates === 3 && (c.reset_after ?? true) ? 2 : 1), row]);
    activate(layer, row);
    activate(layer, row, c.recurrent_activation);
    return { shape: c.return_sequences ? [steps, c.units] : [c.units], row };
  };

  const normalize = (extra) => (layer, [x], net) => {
    const c = layer.config;
    last(layer, c.axis, x.shape.length);
    if (c.scale ?? true) net.weigh(layer, [x.row]);
    if (c.center ?? true) net.weigh(layer, [x.row]);
    extra(layer, x, net);
    return x;
  };

  const pool = (layer, [x]) => ({ ...x, shape: [...places(layer, x, layer.config.pool_size ?? 2), x.shape.at(-1)] });
  const gather = (layer, [x]) => ({ ...x, shape: [...(layer.config.keepdims ? x.shape.slice(0, -1).map(() => 1) : []), x.shape.at(-1)] });
  const resize = (sign) => (layer, [x]) => {
    const given = layer.config.padding ?? layer.config.cropping ?? 1, add = (one) => sign * pair(one, 2).reduce((a, b) => a + b);
    const by = x.shape.length === 2 ? [add(given)] : pair(given, 2).map(add);
    return { ...x, shape: x.shape.map((n, i) => (i < by.length && n != null ? n + by[i] : n)) };
  };
  const merge = (layer, all) => {
    only(layer, all.every(({ shape }) => shape.length === all[0].shape.length), "joins parts of different ranks");
    const row = tie(layer, all.map((one) => one.row));
    return { shape: all[0].shape.map((_, i) => Math.max(...all.map(({ shape }) => shape[i] ?? 0)) || null), row };
  };

  const SUMS = "Add Subtract Multiply Average Maximum Minimum".split(" "), MERGING = ["Concatenate", ...SUMS];
  const KINDS = {
    Dense(layer, [x], net) {
      const { units, use_bias } = layer.config, row = net.make(layer, units);
      net.weigh(layer, [x.row, row], product(x.shape.slice(0, -1)));
      if (use_bias ?? true) net.weigh(layer, [row]);
      activate(layer, row);
      return { shape: [...x.shape.slice(0, -1), units], row };
    },
    Embedding(layer, [x], net) {
      const c = layer.config, row = net.make(layer, c.output_dim);
      net.weigh(layer, [c.input_dim, row]);
      return { shape: [...x.shape, c.output_dim], row };
    },
    Flatten(layer, [x]) {
      const at = x.shape.slice(0, -1);
      only(layer, !at.includes(null), "flattens a length that is not fixed");
      return { shape: [product(x.shape)], row: x.row.map(({ group, times }) => ({ group, times: times * product(at) })) };
    },
    Reshape(layer, [x]) {
      const shape = layer.config.target_shape ?? layer.shape;
      only(layer, shape.at(-1) === x.shape.at(-1), "moves channels to other places");
      return { ...x, shape: shape.map((n) => (n < 0 ? product(x.shape) / -product(shape) : n)) };
    },
    Concatenate(layer, all) {
      const rank = all[0].shape.length, axis = layer.config.axis ?? -1, at = axis < 0 ? rank + axis : axis - 1;
      const sum = all.reduce((n, { shape }) => (n == null || shape[at] == null ? null : n + shape[at]), 0);
      const shape = all[0].shape.map((n, i) => (i === at ? sum : n));
      return { shape, row: at === rank - 1 ? all.flatMap((one) => one.row) : tie(layer, all.map((one) => one.row)) };
    },
    Conv1D: convolve, Conv2D: convolve, DepthwiseConv1D: depthwise, DepthwiseConv2D: depthwise, SeparableConv1D: depthwise, SeparableConv2D: depthwise,
    LSTM: recurrent(4), GRU: recurrent(3), SimpleRNN: recurrent(1),
    BatchNormalization: normalize((layer, x, net) => { net.weigh(layer, [2, x.row], 0, true); }),
    LayerNormalization: normalize((layer, x, net) => { net.balanced.push(x.row); }),
    Activation(layer, [x]) { activate(layer, x.row); return x; },
    Softmax(layer, [x]) { last(layer, layer.config.axis, x.shape.length); pin(x.row, SOFTMAX); return x; },
    Rescaling(layer, [x]) {
      only(layer, ![layer.config.scale, layer.config.offset].some(Array.isArray) || stays(x.row), "has a scale for each channel");
      return x;
    },
    Normalization(layer, [x], net) {
      last(layer, layer.config.axis, x.shape.length);
      only(layer, stays(x.row), "keeps statistics of channels that may grow");
      if (layer.config.mean == null) for (const axes of [[2, x.row], [1]]) net.weigh(layer, axes, 0, true);
      return x;
    },
    UpSampling2D: (layer, [x]) => ({ ...x, shape: x.shape.map((n, i) => (i < 2 && n != null ? n * pair(layer.config.size ?? 2, 2)[i] : n)) }),
    ZeroPadding1D: resize(1), ZeroPadding2D: resize(1), Cropping1D: resize(-1), Cropping2D: resize(-1),
    ...Object.fromEntries("MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D".split(" ").map((name) => [name, pool])),
    ...Object.fromEntries("GlobalMaxPooling1D GlobalMaxPooling2D GlobalAveragePooling1D GlobalAveragePooling2D".split(" ").map((name) => [name, gather])),
    ...Object.fromEntries(SUMS.map((name) => [name, merge])),
    ...Object.fromEntries(("ReLU LeakyReLU ELU Dropout SpatialDropout1D SpatialDropout2D GaussianNoise GaussianDropout AlphaDropout "
      + "ActivityRegularization Identity").split(" ").map((name) => [name, same])),
  };

  // ---------------------------------------------------------------- a model

  /* Read {layers: [{name, class, config, inputs, shape?}], outputs}: its groups, weights, and what its layers hold. */
  function read(model) {
    const groups = [], weights = [], done = new Map(), unread = [];
    const net = {
      ...model, balanced: [], led: [], layers: [],
      make(layer, width, why) {
        only(layer, Number.isInteger(width) && width > 0, "has no width that can be read");
        const group = { number: groups.length, width, makers: [layer.name], followers: [], ties: [], fixed: why };
        groups.push(group);
        return [{ group, times: 1 }];
      },
      /* A weight: the sizes of its axes, and how often each of its numbers is multiplied for one example. */
      weigh(layer, axes, used = 0, frozen = layer.config.trainable === false || model.frozen) { weights.push({ axes, used, frozen }); },
    };
    let waiting = [...model.layers];
    while (waiting.length) {
      const now = waiting.filter((layer) => layer.again || layer.inputs.every((name) => done.has(name)));
      if (!now.length) tell("The layers of this model do not lead to each other. Is a part of it missing?");
      waiting = waiting.filter((layer) => !now.includes(layer));
      for (const layer of now) {
        let out = { row: [], shape: [] };
        try {
          only(layer, (layer.config.data_format ?? "channels_last") === "channels_last", "has its channels first");
          if (layer.class === "InputLayer") {
            const shape = (layer.config.batch_shape ?? layer.config.batch_input_shape).slice(1);
            // Numbers that name words are an axis without channels.
            out = { shape, row: shape.length && shape.at(-1) ? net.make(layer, shape.at(-1), INPUT) : [] };
          } else {
            only(layer, !layer.again && (layer.inputs.length < 2 || MERGING.includes(layer.class) || !Object.hasOwn(KINDS, layer.class)), "is called more than once");
            const inputs = layer.inputs.map((name) => done.get(name));
            if (inputs.some((one) => one.unread)) out = { unread: true };
            else {
              if (!Object.hasOwn(KINDS, layer.class)) throw new Unread(`${layer.name} (${layer.class})`);
              only(layer, inputs.length > 0, "has no input");
              out = KINDS[layer.class](layer, inputs, net);
            }
          }
          out = { ...out, shape: layer.shape ?? out.shape };
          for (const { group } of out.row ?? []) {
            const { makers, followers } = root(group);
            if (!makers.includes(layer.name) && !followers.includes(layer.name)) followers.push(layer.name);
          }
        } catch (error) {
          if (!(error instanceof Unread)) throw error;
          unread.push(error.message);
          out = { unread: true };
        }
        done.set(layer.name, out);
        net.layers.push({ ...layer, ...out });
      }
    }
    if (unread.length) return { ...net, unread };
    for (const name of model.outputs) for (const { group } of done.get(name).row) root(group).fixed = OUTPUT;
    // Behind channels that stay, a depth multiplier is a width of its own.
    for (const { layer, row } of net.led) if (stays(row)) unread.push(`${layer.name} (${layer.class}), which works on channels that stay`);
    if (unread.length) return { ...net, unread };
    const open = net.layers.some(({ shape }) => shape.slice(0, -1).includes(null));
    Object.assign(net, { groups: groups.filter((group) => !group.into), weights, open, unread });
    const [found] = plan(net, 1).parameters;
    if (model.sum && model.sum !== found) tell(`These layers have ${grouped(found)} parameters, but the last lines say ${grouped(model.sum)}. Is a part of the table missing?`);
    return net;
  }

  /* Widen all that can grow but for the groups named in `left`: widths, reasons, and costs before and after. */
  function plan(net, factor, left = []) {
    const widths = new Map(), why = new Map();
    for (const group of net.groups) {
      if (group.fixed) why.set(group, group.fixed);
      else if (left.includes(group.makers[0])) why.set(group, "you left it out");
      else widths.set(group, Math.ceil(group.width * factor - 1e-9));
    }
    const now = (group) => widths.get(group) ?? group.width;
    for (let changed = true; changed;) {
      changed = false;
      for (const row of net.balanced) {
        const own = row.map(({ group }) => root(group)), ratios = new Set(own.map((group) => now(group) / group.width));
        if (ratios.size === 1 && Number.isInteger([...ratios][0])) continue;
        for (const group of own) if (widths.delete(group)) { why.set(group, MEAN); changed = true; }
      }
    }
    const size = ({ axes }, width) => axes.reduce((all, axis) => all * (Array.isArray(axis) ? total(axis, width) : axis), 1);
    const sum = (width, of) => net.weights.reduce((all, weight) => all + of(weight) * size(weight, width), 0);
    const both = (of) => [sum(old, of), sum(now, of)];
    return {
      groups: net.groups.map((group) => ({ ...group, name: group.makers[0], now: now(group), why: why.get(group) })),
      grows: widths.size > 0,
      parameters: both(() => 1),
      operations: both(({ used }) => used),
      memory: both(({ frozen }) => (frozen ? 4 : 16)),  // float32: the weight; if trained, its gradient and two moments
    };
  }

  return { Told, Unread, KINDS, read, plan, product, tell, grouped };
})();
