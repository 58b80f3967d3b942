"""The networks of the recorded studies: teachers, and students of which a reader makes some by hand."""

# Keras is imported inside functions: naming the studies does without it, and a run sets its threads first.

__all__ = [
    "inception_widths",
    "make_deeper_student",
    "make_wider_student",
    "mnist_cnn",
    "small_cnn",
    "small_gpt",
    "small_inception",
    "small_mlp",
    "small_residual",
    "small_transformer",
]


def mnist_cnn(conv1=64, fc1=128, deeper=False):
    """The article's convolutional network for MNIST, compiled, with fresh random weights.

    Parameters
    ----------
    conv1, fc1 : int
        Channels of the first convolution and units of the first dense layer.
    deeper : bool
        Whether a second dense layer, ``fc1_deeper``, as wide as ``fc1``, stands behind it.

    Returns
    -------
    keras.Sequential
        From images (n, 28, 28, 1) to the probabilities of ten digits (n, 10); trained by plain stochastic gradient
        descent with a learning rate of 0.01.
    """
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(conv1, 3, padding="same", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(128, 3, padding="same", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(fc1, activation="relu", name="fc1"),
            *([layers.Dense(fc1, activation="relu", name="fc1_deeper")] if deeper else []),
            layers.Dense(10, activation="softmax", name="fc2"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.01), "categorical_crossentropy", metrics=["accuracy"])
    return model


def make_deeper_student(teacher, init="net2deeper", seed=None):
    """The teacher with a dense layer ``fc1_deeper`` behind ``fc1``.

    Parameters
    ----------
    teacher : keras.Model
        Made by `mnist_cnn`.
    init : {"net2deeper", "randominit"}
        The new layer is the identity, so that the student computes what the teacher does, or it is random,
        with the teacher's weights in all other layers.
    seed : int, optional

    Returns
    -------
    keras.Model
        Compiled as the teacher is, with a fresh optimizer, as in the records.
    """
    from helpers.deeper import net2deeper_net

    return net2deeper_net(teacher, after="fc1", init=init, seed=seed, optimizer="fresh")


def make_wider_student(teacher, init="net2wider", split="equal", seed=None):
    """The teacher with twice the channels in ``conv1`` and twice the units in ``fc1``.

    Parameters
    ----------
    teacher : keras.Model
        Made by `mnist_cnn`.
    init : {"net2wider", "randompad"}
        The new channels and units are copies, so that the student computes what the teacher does, or random.
    split : {"equal", "random"}
        How the copies of a unit share its outgoing weights; "equal" is the paper's, and the records'.
    seed : int, optional

    Returns
    -------
    keras.Model
        Compiled as the teacher is, with a fresh optimizer, as in the records.
    """
    from helpers.models import net2wider_net

    widths = {"conv1": 2 * teacher.get_layer("conv1").filters, "fc1": 2 * teacher.get_layer("fc1").units}
    return net2wider_net(teacher, widths, init=init, split=split, seed=seed, optimizer="fresh")


def small_cnn(channels=(2, 4, 8), deeper=()):
    """A convolutional network for MNIST, small enough that its size limits what it learns; compiled, random weights.

    Parameters
    ----------
    channels : (int, int, int)
        Of its three convolutions, ``conv1`` to ``conv3``.
    deeper : tuple of str
        Names of convolutions that are followed by another one as wide, named ``..._deeper``.

    Returns
    -------
    keras.Sequential
        From images (n, 28, 28, 1) to the probabilities of ten digits (n, 10); trained by gradient descent with
        momentum 0.9.
    """
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((28, 28, 1))])
    for number, width in enumerate(channels, start=1):
        name = f"conv{number}"
        for each in (name, f"{name}_deeper")[: 1 + (name in deeper)]:
            model.add(layers.Conv2D(width, 3, padding="same", activation="relu", name=each))
        model.add(layers.MaxPooling2D(name=f"pool{number}"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(10, activation="softmax", name="digits"))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return model


# Channels of each module's convolutions, branch by branch.
BRANCHES = (("1x1",), ("3x3_reduce", "3x3"), ("double_reduce", "double_1", "double_2"), ("pool_1x1",))
MODULES = {"module1": ((8,), (6, 12), (4, 6, 6), (6,)), "module2": ((12,), (8, 16), (6, 8, 8), (12,))}


def inception_widths(scale=1.0):
    """The channels of `small_inception`'s modules.

    Parameters
    ----------
    scale : float
        Against the whole network's; channels are rounded.

    Returns
    -------
    dict
        From names of convolutions, such as ``"module1_3x3"``, to their channels.

    Examples
    --------
    >>> inception_widths()["module1_3x3"], inception_widths(0.3**0.5)["module1_3x3"]
    (12, 7)
    """
    return {
        f"{module}_{name}": round(scale * width)
        for module, branches in MODULES.items()
        for names, widths in zip(BRANCHES, branches, strict=True)
        for name, width in zip(names, widths, strict=True)
    }


def small_inception(scale=1.0):
    """A convolutional network for MNIST with two Inception modules and batch normalization; compiled, random weights.

    A module's branches are those of the paper's teacher: 1x1; 1x1 and 3x3; 1x1 and twice 3x3; pooling and 1x1.

    Parameters
    ----------
    scale : float
        Of the modules' channels, as in `inception_widths`. The paper's teacher has the square root of 0.3.

    Returns
    -------
    keras.Model
        From images (n, 28, 28, 1) to the probabilities of ten digits (n, 10); trained by gradient descent with
        momentum 0.9.

    References
    ----------
    Ioffe and Szegedy 2015; Chen et al. 2016, section 3.
    """
    import keras
    from keras import layers

    widths = {"stem": 8} | inception_widths(scale)

    def convolution(x, name, size, strides=1):
        x = layers.Conv2D(widths[name], size, strides, padding="same", use_bias=False, name=name)(x)
        # A short memory, because the studies' trainings are short.
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        return layers.Activation("relu", name=f"{name}_relu")(x)

    images = x = keras.Input((28, 28, 1))
    # Modules work on 7 x 7 positions and then on 3 x 3, so that two cores can afford many runs.
    x = layers.MaxPooling2D(name="stem_pool")(convolution(x, "stem", 3, strides=2))
    for module in MODULES:
        ends = []
        for names in BRANCHES:
            end = layers.MaxPooling2D(3, 1, padding="same", name=f"{module}_pool")(x) if "pool_1x1" in names else x
            for name in names:
                end = convolution(end, f"{module}_{name}", 1 if name.endswith(("1x1", "reduce")) else 3)
            ends.append(end)
        x = layers.Concatenate(name=module)(ends)
        if module == "module1":
            x = layers.MaxPooling2D(name="pool")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    model = keras.Model(images, layers.Dense(10, activation="softmax", name="digits")(x))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return model


def small_mlp(inputs=64, units=8, outputs=10):
    """A network of two hidden dense layers for tables of numbers; compiled, random weights.

    Parameters
    ----------
    inputs, outputs : int
        One output is a number, for regression; more are probabilities.
    units : int
        Of each hidden layer, ``hidden1`` and ``hidden2``.

    Returns
    -------
    keras.Sequential
        From (n, inputs) to (n, outputs); trained by gradient descent with momentum 0.9.
    """
    import keras
    from keras import layers

    number = outputs == 1
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            layers.Dense(units, activation="relu", name="hidden1"),
            layers.Dense(units, activation="relu", name="hidden2"),
            layers.Dense(outputs, activation=None if number else "softmax", name="outputs"),
        ]
    )
    loss, metrics = ("mean_squared_error", None) if number else ("categorical_crossentropy", ["accuracy"])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=metrics)
    return model


def small_residual(channels=4):
    """A residual network for MNIST, of two blocks with batch normalization; compiled, random weights.

    Parameters
    ----------
    channels : int
        Of the first block; the second has twice as many, on half as many rows and columns.

    Returns
    -------
    keras.Model
        From images (n, 28, 28, 1) to the probabilities of ten digits (n, 10); trained by gradient descent with
        momentum 0.9.

    References
    ----------
    He et al. 2016.
    """
    import keras
    from keras import layers

    def convolution(x, name, width, size=3, strides=1):
        x = layers.Conv2D(width, size, strides, padding="same", use_bias=False, name=name)(x)
        # A short memory, because the studies' trainings are short.
        return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)

    def relu(x, name):
        return layers.Activation("relu", name=f"{name}_relu")(x)

    images = keras.Input((28, 28, 1))
    x = relu(convolution(images, "stem", channels, strides=2), "stem")
    for block, width, strides in (("block1", channels, 1), ("block2", 2 * channels, 2)):
        y = relu(convolution(x, f"{block}_1", width, strides=strides), f"{block}_1")
        y = convolution(y, f"{block}_2", width)
        x = convolution(x, f"{block}_shortcut", width, size=1, strides=strides) if strides > 1 else x
        x = relu(layers.Add(name=block)([x, y]), block)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    model = keras.Model(images, layers.Dense(10, activation="softmax", name="digits")(x))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return model


def small_transformer(width=16, heads=2, inner=32, characters=96, length=64):
    """A causal Transformer block that guesses each next character of a text; compiled, random weights.

    Parameters
    ----------
    width : int
        Of the sum that runs through the block.
    heads, inner : int
        Of the attention, with 8 channels a head, and of the dense layer within.
    characters, length : int
        How many characters there are, and how many an example has.

    Returns
    -------
    keras.Model
        From codes (n, length) to probabilities (n, length, characters); trained by Adam. A causal convolution over
        five characters stands where others add a code of the position.

    References
    ----------
    Vaswani et al. 2017; Xiong et al. 2020 for the place of the normalizations.
    """
    import keras
    from keras import layers

    codes = keras.Input((length,), dtype="int32")
    x = layers.Embedding(characters, width, name="embedding")(codes)
    x = layers.Conv1D(width, 5, padding="causal", activation="relu", name="near")(x)
    y = layers.LayerNormalization(name="attention_norm")(x)
    y = layers.MultiHeadAttention(heads, 8, name="attention")(y, y, use_causal_mask=True)
    x = layers.Add(name="attended")([x, y])
    y = layers.LayerNormalization(name="inner_norm")(x)
    y = layers.Dense(inner, activation="relu", name="inner")(y)
    x = layers.Add(name="block")([x, layers.Dense(width, name="outer")(y)])
    x = layers.LayerNormalization(name="norm")(x)
    model = keras.Model(codes, layers.Dense(characters, activation="softmax", name="characters")(x))
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def small_gpt(width=48, blocks=2, characters=96, length=64):
    """A GPT in small that guesses each next character of a text; compiled, random weights.

    Parameters
    ----------
    width : int
        Of the sum that runs through the blocks. Attention has a head for each 12 channels, the layer within a block
        four times as many units as the sum has channels.
    blocks : int
    characters, length : int
        How many characters there are, and how many an example has.

    Returns
    -------
    keras.Model
        From codes (n, length) to logits (n, length, characters); trained by Adam.

    References
    ----------
    Radford et al. 2019; Xiong et al. 2020 for the place of the normalizations.
    """
    import keras
    from keras import layers, ops

    codes = keras.Input((length,), dtype="int32")
    places = ops.cumsum(ops.ones_like(codes), axis=1) - 1
    x = layers.Embedding(characters, width, name="characters")(codes)
    x = layers.Add(name="embedded")([x, layers.Embedding(length, width, name="places")(places)])
    heads = max(width // 12, 1)
    for number in range(1, blocks + 1):
        name = f"block{number}"
        y = layers.LayerNormalization(name=f"{name}_attention_norm")(x)
        y = layers.MultiHeadAttention(heads, width // heads, name=f"{name}_attention")(y, y, use_causal_mask=True)
        x = layers.Add(name=f"{name}_attended")([x, y])
        y = layers.LayerNormalization(name=f"{name}_inner_norm")(x)
        y = layers.Dense(4 * width, activation="relu", name=f"{name}_inner")(y)
        x = layers.Add(name=name)([x, layers.Dense(width, name=f"{name}_outer")(y)])
    x = layers.LayerNormalization(name="norm")(x)
    model = keras.Model(codes, layers.Dense(characters, name="next")(x))
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model
