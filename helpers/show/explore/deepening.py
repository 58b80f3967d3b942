"""A network that a reader deepens: by layers that are the identity, by kernels, or by a block that ends in zeros."""

import numpy as np
import traitlets as t

from helpers import weights as w
from helpers.checks import Net2NetError, check_width
from helpers.show import plots
from helpers.show.explore.element import Explorable, check_range, faces
from helpers.show.explore.functions import ACTIVATIONS, V, X, arrays, curve_teacher, digit, weights_of
from helpers.show.plots import images


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
    weights = curve_teacher() | {"activation": "relu"} if teacher is None else weights_of(teacher, 1)
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
        return check_range("layers", proposal["value"], 0, 3)

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
        w1, b1, w2, b2 = arrays(self.teacher)
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
        return images.convolved(np.array(self.image) / 255, self.kernel, self.layers)

    @property
    def gap(self):
        """The largest difference between the outputs without and with the new layers."""
        if self.kind == "conv":
            return float(np.abs(self.output - np.array(self.image) / 255).max())
        return float(np.abs(self._values(self.layers) - self._values(0)).max())

    @property
    def added(self):
        """What the block adds to each of the hidden units, float64, shape (inputs, units)."""
        w1, b1, *_ = arrays(self.teacher)
        phi, (inner, last) = ACTIVATIONS[self.activation], _block(len(b1))
        return phi(phi(X @ w1 + b1) @ inner) @ (self.last * last)

    def again(self, v):
        """Apply the activation to v once for the teacher's layer, and once for each new one."""
        for _ in range(self.layers + 1):
            v = ACTIVATIONS[self.activation](v)
        return v

    def _values(self, layers):
        w1, b1, w2, b2 = arrays(self.teacher)
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


def _middle(size):
    return [(side - 1) // 2 for side in size]
