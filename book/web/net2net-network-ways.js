/* Three ways to bring a model into the page: typed words, a .keras file, the text of `model.summary()`; and the lines of
   Python that widen it. Nothing here asks the net: a file is unpacked where it was dropped. */

Object.assign(globalThis.Net2NetReading, (() => {
  const { Unread, KINDS, product, tell } = globalThis.Net2NetReading;
  const chain = (layers) => layers.map((layer, i) => ({ ...layer, inputs: i ? [layers[i - 1].name] : [] }));

  // ---------------------------------------------------------------- typed

  const HELP = "Known are: 256, conv 32, depthwise, pool, average, flatten, batchnorm, layernorm, dropout, embedding 32, lstm 64, gru 64.";
  const SAME = { padding: "same" };

  /* What a word makes: a class, and settings from the numbers behind it and the rank of what comes in. */
  const WORDS = {
    conv: ([n, k = 3], rank) => [`Conv${rank - 1}D`, { filters: n, kernel_size: Array(rank - 1).fill(k), ...SAME }],
    separable: ([n, k = 3], rank) => [`SeparableConv${rank - 1}D`, { filters: n, kernel_size: Array(rank - 1).fill(k), ...SAME }],
    depthwise: ([k = 3], rank) => [`DepthwiseConv${rank - 1}D`, { kernel_size: Array(rank - 1).fill(k), ...SAME }],
    pool: ([k = 2], rank) => [`MaxPooling${rank - 1}D`, { pool_size: k }],
    average: (_, rank) => [`GlobalAveragePooling${rank - 1}D`, {}],
    flatten: () => ["Flatten", {}], batchnorm: () => ["BatchNormalization", {}], layernorm: () => ["LayerNormalization", {}],
    dropout: () => ["Dropout", { rate: 0.5 }], dense: ([n]) => ["Dense", { units: n }],
    lstm: ([n]) => ["LSTM", { units: n }], gru: ([n]) => ["GRU", { units: n }],
  };
  const ACTIVATIONS = "relu tanh sigmoid softmax gelu elu selu silu linear softplus".split(" ");
  const SIZED = ["conv", "separable", "dense", "lstm", "gru", "embedding"];

  /* Layers from "28x28x1 → conv 32 relu → pool → flatten → 128 relu → 10". */
  function fromText(text) {
    const parts = text.replace(/(\d)[,_](?=\d{3}\b)/g, "$1").toLowerCase().split(/\s*(?:→|[-=]*>|\n|,|;)\s*/).filter(Boolean);
    if (parts.length < 2) tell("Write at least an input and a layer, with arrows between them: 784 → 256 relu → 10.");
    const words = /^(?:(\d+)\s+words? of (\d+)|(\d+(?:\s*[x×]\s*\d+)*))$/.exec(parts[0]);
    if (!words) tell(`“${parts[0]}” is no input. Begin with its size: 784, or 28x28x1 for an image, or 100 words of 5000.`);
    const vocabulary = Number(words[2]), shape = words[1] ? [Number(words[1])] : words[3].split(/[x×]/).map(Number);
    const layers = [{ name: "input", class: "InputLayer", config: { batch_shape: [null, ...shape] } }], counts = {};
    let rank = shape.length;
    parts.slice(1).forEach((part, i) => {
      const tokens = part.match(/\d+|[a-z]+/g) ?? [], numbers = tokens.filter((token) => /\d/.test(token)).map(Number);
      const activation = tokens.find((token) => ACTIVATIONS.includes(token)), step = /\/\s*(\d+)/.exec(part)?.[1];
      const kind = tokens.find((token) => !/\d|^x$/.test(token) && token !== activation) ?? (numbers.length ? "dense" : "");
      if (step) numbers.splice(numbers.lastIndexOf(Number(step)), 1);
      if (kind !== "embedding" && !Object.hasOwn(WORDS, kind)) tell(`I cannot read “${part}”. ${HELP}`);
      if (SIZED.includes(kind) && !(numbers[0] > 0)) tell(`“${part}” needs its width, such as ${kind} 32.`);
      if (kind === "embedding" && !(vocabulary && i === 0)) tell("An embedding comes right after words: 100 words of 5000 → embedding 32.");
      const spatial = ["conv", "separable", "depthwise", "pool", "average", "lstm", "gru"].includes(kind);
      if (spatial && (rank < 2 || rank > (["lstm", "gru"].includes(kind) ? 2 : 3)))
        tell(`“${part}” needs ${kind === "lstm" || kind === "gru" ? "a sequence, such as 100x8" : "an image or a sequence, such as 28x28x1"}, not a list of numbers.`);
      const [name, config] = kind === "embedding" ? ["Embedding", { input_dim: vocabulary, output_dim: numbers[0] }] : WORDS[kind](numbers, rank);
      counts[kind] = (counts[kind] ?? 0) + 1;
      const own = i === parts.length - 2 && kind === "dense" ? "output" : `${kind}${counts[kind]}`;
      if (step) config.strides = Array(rank - 1).fill(Number(step));
      if (activation) config.activation = activation;
      if (kind === "embedding") rank = 2;
      else if (["average", "flatten", "lstm", "gru"].includes(kind)) rank = 1;
      layers.push({ name: own, class: name, config });
    });
    return { way: "text", layers: chain(layers), outputs: [layers.at(-1).name] };
  }

  // ---------------------------------------------------------------- a .keras file

  const BROKEN = "This file is damaged, or it is no .keras file. Save the model once more: model.save(\"model.keras\").";

  /* The text of config.json in a zip, of which only its list of contents and that one entry are read. */
  async function unpack(file) {
    const view = async (from, to) => new DataView(await file.slice(from, to).arrayBuffer());
    const head = file.size > 8 ? await view(0, 8) : tell(BROKEN);
    if (head.getUint32(0) === 0x89484446)
      tell("This is an .h5 file, which keeps its settings in another way. Load it in Python and save it as .keras, or paste its summary.");
    const from = Math.max(0, file.size - 65_557), tail = await view(from, file.size);
    let end = tail.byteLength - 22;
    while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end -= 1;
    if (head.getUint16(0) !== 0x504b || end < 0) tell(BROKEN);
    let size = tail.getUint32(end + 12, true), at = tail.getUint32(end + 16, true);
    if (at === 0xffffffff) {  // larger than four gigabytes: the list of contents is found by a second one
      const place = Number(tail.getBigUint64(end - 12, true)), more = await view(place, place + 56);
      [size, at] = [40, 48].map((offset) => Number(more.getBigUint64(offset, true)));
    }
    const list = await view(at, at + size);
    for (let i = 0; i + 46 <= size && list.getUint32(i, true) === 0x02014b50;) {
      const [name, extra, comment] = [28, 30, 32].map((offset) => list.getUint16(i + offset, true));
      if (new TextDecoder().decode(new Uint8Array(list.buffer, i + 46, name)) === "config.json") {
        const method = list.getUint16(i + 10, true), length = list.getUint32(i + 20, true), start = list.getUint32(i + 42, true);
        const local = await view(start, start + 30), data = start + 30 + local.getUint16(26, true) + local.getUint16(28, true);
        const packed = file.slice(data, data + length);
        if (method === 0) return packed.text();
        if (method !== 8) tell(BROKEN);
        return new Response(packed.stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
      }
      i += 46 + name + extra + comment;
    }
    return tell("This zip has no config.json, so it is no .keras file. In Python: model.save(\"model.keras\").");
  }

  async function fromFile(file) {
    let settings;
    try {
      settings = JSON.parse(await unpack(file));
    } catch (error) {
      if (error instanceof globalThis.Net2NetReading.Told) throw error;
      tell(BROKEN);
    }
    return { ...fromSettings(settings), file: file.name };
  }

  /* The names of the layers that a node of Keras' settings begins at. */
  function inputsOf(layer, value) {
    if (Array.isArray(value)) return value.flatMap((one) => inputsOf(layer, one));
    if (value?.class_name === "__keras_tensor__") return [value.config.keras_history];
    if (value && typeof value === "object") throw new Unread(`${layer.name} (${layer.class_name}), which takes in constants`);
    return [];
  }

  /* What config.json says. */
  function fromSettings({ class_name: kind, config } = {}) {
    if (!["Sequential", "Functional", "Model"].includes(kind) || !config?.layers)
      tell(`The model is of the class ${kind ?? "?"}. The page reads Sequential and Functional ones; Python reads more: print(helpers.channel_groups(model)).`);
    const layers = config.layers.map((layer) => ({ name: layer.config?.name ?? layer.name, class: layer.class_name, config: layer.config ?? {} }));
    const frozen = config.trainable === false;
    if (kind === "Sequential") {
      const shape = config.build_input_shape;
      if (layers[0]?.class !== "InputLayer") {
        if (!shape) tell("This model does not know the shape of its input yet. Build it, then save it once more.");
        layers.unshift({ name: "input", class: "InputLayer", config: { batch_shape: shape } });
      }
      return { way: "file", frozen, layers: chain(layers), outputs: [layers.at(-1).name] };
    }
    config.layers.forEach((layer, i) => {
      const nodes = layer.inbound_nodes ?? [], found = nodes.flatMap((node) => (Array.isArray(node) ? node : inputsOf(layer, [node.args, Object.values(node.kwargs ?? {})])));
      Object.assign(layers[i], { inputs: found.map(([name]) => name), again: nodes.length > 1 });
    });
    const names = (value) => (typeof value?.[0] === "string" ? [value[0]] : Object.values(value).flatMap(names));
    return { way: "file", frozen, layers, outputs: names(config.output_layers) };
  }

  // ---------------------------------------------------------------- the text of model.summary()

  const WIDER = "Names are cut off in this summary, so it does not say which layer leads to which. Use the model's .keras file instead.";

  /* Rows of cells. White space says nothing in them, so a table survives every line wrap. */
  function cellsOf(text) {
    const blocks = text.replace(/\s+/g, "").replaceAll("┃", "│").split(/[━─┏┳┓┡╇┩├┼┤└┴┘]{3,}/);
    const head = blocks.findIndex((block) => block.startsWith("│Layer(type)")), names = blocks[head]?.split("│").slice(1, -1) ?? [];
    const place = (name) => names.findIndex((one) => one.startsWith(name));
    if (head < 0 || place("Output") < 0 || place("Param") < 0)
      tell("I find no table in this text. Paste all that model.summary() prints, with its frame. If its right side is cut off, use the model's .keras file.");
    const rows = blocks.slice(head + 1).filter((block) => block.startsWith("│")).map((block) => {
      const cells = names.map(() => "");
      block.split("│").forEach((cell, i) => { if (i % (names.length + 1)) cells[(i % (names.length + 1)) - 1] += cell; });
      return { words: cells[0], shape: cells[place("Output")], count: cells[place("Param")], from: cells[place("Connected")] };
    });
    const number = (pattern) => Number(pattern.exec(blocks.at(-1))?.[1].replaceAll(",", "") ?? NaN);
    return { rows, sum: number(/Totalparams:([\d,]+)/) - (number(/Optimizerparams:([\d,]+)/) || 0) };
  }

  /* The class that a cut-off name begins. */
  function classOf(words, rank) {
    if (!words.endsWith("…")) return words;
    const fits = Object.keys(KINDS).filter((name) => name.startsWith(words.slice(0, -1))), bases = new Set(fits.map((name) => name.replace(/\dD$/, "")));
    return bases.size === 1 ? fits.find((name) => name.endsWith(`${rank - 1}D`)) ?? fits[0] : words;
  }

  function fromSummary(text) {
    const { rows, sum } = cellsOf(text), layers = [];
    if (rows.some(({ shape, count }) => shape === "?" || /unbuilt/.test(count))) tell("This model is not built yet. Call it on some data, then print the summary again.");
    const match = (name) => {
      const exact = layers.filter((layer) => layer.name === name), cut = name.replace(/…$/, "");
      const near = exact.length ? exact : layers.filter((layer) => (name.endsWith("…") && layer.name.startsWith(cut))
        || (layer.name.endsWith("…") && (name.startsWith(layer.name.slice(0, -1)) || (name.endsWith("…") && layer.name.slice(0, -1).startsWith(cut)))));
      return near.length === 1 ? near[0].name : tell(near.length ? WIDER : `The summary names no layer ${name}. Is a part of it missing?`);
    };
    const shapes = {};
    for (const [i, row] of rows.entries()) {
      const [, name, kind] = /^(.+?)\(([^()]+)\)?$/.exec(row.words) ?? tell(`I cannot read “${row.words}” in this table.`);
      const shape = (/^\[?\(([^()]*)\)\]?$/.exec(row.shape)?.[1] ?? "").split(",").filter(Boolean).slice(1).map((n) => (n === "None" ? null : Number(n)));
      const inputs = row.from === undefined ? layers.slice(-1).map((layer) => layer.name)
        : row.from === "-" ? [] : row.from.split(/,|(?<=…)/).filter(Boolean).map((one) => match(one.replace(/\[.*$/, "")));
      if (layers.some((layer) => layer.name === name)) tell(name.endsWith("…") ? WIDER : `Two layers have the name ${name}.`);
      const own = { name, class: classOf(kind, inputs.length ? shapes[inputs[0]].length : shape.length), inputs, shape };
      const count = Number(row.count.replaceAll(",", ""));
      if (!i && own.class !== "InputLayer") {  // a chain, whose input the table leaves out
        const given = entrance(own, count, shape);
        layers.push({ name: "input", class: "InputLayer", config: { batch_shape: [null, ...given] }, inputs: [], shape: given });
        shapes.input = given;
        own.inputs = ["input"];
      }
      shapes[name] = shape;
      own.config = own.class === "InputLayer" ? { batch_shape: [null, ...shape] } : guess(own, count, shapes[own.inputs[0]] ?? []);
      layers.push(own);
    }
    const used = new Set(layers.flatMap((layer) => layer.inputs));
    return { way: "summary", layers, outputs: layers.map((layer) => layer.name).filter((name) => !used.has(name)), sum };
  }

  /* The shape of the input in front of a chain's first layer, as far as its number of parameters tells it. */
  function entrance({ class: kind, name }, count, shape) {
    const n = shape.at(-1), gates = { LSTM: 4, GRU: 3, SimpleRNN: 1 }[kind];
    if (kind === "Embedding") return shape.slice(0, -1);
    if (kind === "Dense") return [...shape.slice(0, -1), count % n ? tell(`I cannot tell what enters ${name}.`) : count / n - 1 || 1];
    if (/^Conv/.test(kind)) return [...shape.slice(0, -1), 1];  // with as large a kernel: the input stays as it is
    if (gates) return [null, count / (gates * n) - n - (kind === "GRU" ? 2 : 1)];
    if (/^Separable/.test(kind)) tell(`I cannot tell what enters ${name}. Begin the model with keras.Input and print the summary again.`);
    return /^Global/.test(kind) ? [null, n] : shape;
  }

  /* The settings that give a layer as many parameters as the table says. */
  function guess({ class: kind, name, shape }, count, input) {
    const n = shape.at(-1), c = input.at(-1), fit = (of) => [true, false].map(of).find(Boolean) ?? tell(`The parameters of ${name} (${kind}) do not fit its shape.`);
    const whole = (k, settings) => Number.isInteger(k) && k > 0 && settings;
    if (kind === "Dense") return fit((use_bias) => count === c * n + use_bias * n && { units: n, use_bias });
    if (kind === "Embedding") return { input_dim: count / n, output_dim: n };
    if (/^Conv\dD$/.test(kind)) return fit((use_bias) => { const k = (count - use_bias * n) / (c * n); return whole(k, { filters: n, kernel_size: [k], use_bias }); });
    if (/^Depthwise/.test(kind)) return fit((use_bias) => { const k = count / n - use_bias; return whole(k, { kernel_size: [k], use_bias, depth_multiplier: n / c }); });
    if (/^Separable/.test(kind)) return fit((use_bias) => { const k = (count - use_bias * n) / c - n; return whole(k, { filters: n, kernel_size: [k], use_bias }); });
    if (kind === "BatchNormalization") return { scale: count >= 3 * n, center: count >= 4 * n };
    if (kind === "LayerNormalization") return { scale: true, center: count >= 2 * n };
    const gates = { LSTM: 4, GRU: 3, SimpleRNN: 1 }[kind], sequence = { units: n, return_sequences: shape.length > 1 };
    if (gates) {
      const biases = Math.round(count / (gates * n) - n - c);
      return { ...sequence, use_bias: biases > 0, reset_after: biases > 1, return_state: !n };
    }
    if (kind === "Flatten" && input.includes(null)) tell(`${name} flattens a length that is not fixed.`);
    return { keepdims: /^Global/.test(kind) && shape.length > 1, target_shape: shape, axis: kind === "Concatenate" ? axisOf(input, shape) : -1, padding: 0, strides: 1 };
  }

  /* A concatenation is along the axis that changes; axes of a batch are counted. */
  const axisOf = (input, shape) => (input.at(-1) === shape.at(-1) && product(input) !== product(shape) ? 1 + input.findIndex((n, i) => n !== shape[i]) : -1);

  // ---------------------------------------------------------------- the lines of Python

  const python = (value) => (Array.isArray(value) ? (new Set(value).size === 1 ? String(value[0]) : `(${value.join(", ")})`) : JSON.stringify(value));

  /* One layer, as typed words mean it. */
  function line({ name, class: kind, config: c }) {
    const first = { Embedding: ["input_dim", "output_dim"], Dense: ["units"], LSTM: ["units"], GRU: ["units"], Dropout: ["rate"], DepthwiseConv1D: ["kernel_size"], DepthwiseConv2D: ["kernel_size"] }[kind]
      ?? ["filters", "kernel_size", "pool_size"];
    const given = first.filter((key) => key in c).map((key) => python(c[key]));
    const more = ["strides", "padding", "activation"].filter((key) => key in c).map((key) => `${key}=${python(c[key])}`);
    const words = [...given, ...more, `name="${name}"`], one = `    layers.${kind}(${words.join(", ")}),`;
    return one.length <= 60 ? one : `    layers.${kind}(\n        ${words.join(", ")}),`;
  }

  /* What to copy: the teacher, if the page knows it, and its student. `left` is what a reader left out. */
  function code(model, { groups, parameters }, factor, left) {
    const typed = model.way === "text", grown = groups.filter(({ width, now }) => now > width);
    const wanted = left.length ? `{\n${grown.map(({ name, now }) => `    ${JSON.stringify(name)}: ${now},\n`).join("")}}` : String(factor);
    const shape = model.layers[0].config.batch_shape?.slice(1);
    return [
      ...(model.way === "summary" ? [] : ["import keras"]), ...(typed ? ["from keras import layers"] : []), "from helpers import net2wider_net", "",
      ...(typed ? ["model = keras.Sequential([", `    keras.Input((${shape.join(", ")}${shape.length < 2 ? "," : ""})),`, ...model.layers.slice(1).map(line), "])"] : []),
      ...(model.way === "file" ? [`model = keras.models.load_model(\n    ${JSON.stringify(model.file)})`] : []),
      ...(model.way === "summary" ? ["# model: the one whose summary you pasted"] : []),
      left.length ? `student = net2wider_net(model, ${wanted}, seed=0)` : `student = net2wider_net(\n    model, ${wanted}, seed=0)`,
      "print(model.count_params(),\n      student.count_params())",
      `# ${parameters[0]} ${parameters[1]}`,
    ].join("\n");
  }

  return { fromText, fromFile, fromSettings, fromSummary, code };
})());
