"""What a reader moves in a notebook.

An explorable has two faces in one bundle. Where Python runs it is a widget: its controls are moved, the network is
built again, the picture follows. On a page without Python it is the picture of the state in which it was left, with its
description and a line that says where it can be moved; no control is shown that does nothing.
"""

import base64
import html
import io

import ipywidgets as widgets
import keras
import numpy as np

from helpers import plots
from helpers import weights as w
from helpers.models import function_gap
from helpers.weights import Net2NetError

__all__ = ["Explorable", "Widen", "widen"]

COLAB = "https://colab.research.google.com/github/net2net-book/net2net-book/blob/main/book/"


def widen(teacher=None, *, width=None, seed=0, notebook="03_net2widernet"):
    """Move the width of a small network's hidden layer, and see what its function does.

    Parameters
    ----------
    teacher : keras.Model, optional
        From one number to one number, over one hidden layer: two Dense layers with biases. `curve_teacher` if left out.
    width : int, optional
        To begin with; twice the teacher's if left out. It moves from the teacher's n to 4 n.
    seed : int
        Of the mapping, and of the shares or weights that are drawn.
    notebook : str
        The chapter that a page without Python leads to.

    Returns
    -------
    Widen
        Show it as the last value of a cell.

    Raises
    ------
    Net2NetError
        If the teacher is another kind of network, or `width` lies outside n to 4 n.

    Examples
    --------
    >>> panel = widen(seed=1)
    >>> panel.width = 20
    >>> panel.gap < 1e-12
    True
    >>> panel.way = "undivided"
    >>> panel.gap > 0.1
    True
    """
    return Widen(curve_teacher() if teacher is None else teacher, width=width, seed=seed, notebook=notebook)


def curve_teacher(units=6):
    """A network from x to sin(3 x) on -1 to 1, in float64: one hidden layer of ReLU units, fitted by least squares.

    >>> curve_teacher().count_params()
    19
    """
    x = np.linspace(-1, 1, 101)[:, None]
    kinks = np.linspace(-1, 1, units, endpoint=False)
    w1, b1 = np.full((1, units), 2.0), -2.0 * kinks
    hidden = np.maximum(x @ w1 + b1, 0)
    solution = np.linalg.lstsq(np.hstack([hidden, np.ones_like(x)]), np.sin(3 * x), rcond=None)[0]
    model = keras.Sequential(
        [
            keras.Input((1,), dtype="float64"),
            keras.layers.Dense(units, activation="relu", dtype="float64", name="hidden"),
            keras.layers.Dense(1, dtype="float64", name="out"),
        ]
    )
    model.set_weights([w1, b1, solution[:-1], solution[-1]])
    return model


class Explorable:
    """Controls, and the picture that they move; a subclass says what is drawn.

    Parameters
    ----------
    notebook : str
        The chapter that a page without Python leads to.
    **controls : ipywidgets.ValueWidget
        By name. ``explorable.NAME`` reads and sets a control's value.

    Attributes
    ----------
    controls : dict
        The widgets themselves, for `ipywidgets.link` and its like.
    """

    def __init__(self, notebook, **controls):
        self.notebook, self.controls = notebook, controls
        self._picture = widgets.HTML()
        self.widget = widgets.VBox([*controls.values(), self._picture])
        for control in controls.values():
            control.observe(self._redraw, "value")
        self._redraw()

    def draw(self):
        """Return a Figure, its description, and one line that is read below it."""
        raise NotImplementedError

    def __getattr__(self, name):
        controls = self.__dict__.get("controls", {})
        if name in controls:
            return controls[name].value
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name, value):
        control = self.__dict__.get("controls", {}).get(name)
        if control is None:
            object.__setattr__(self, name, value)
        else:
            control.value = value

    def _redraw(self, change=None):
        figure, alt, says = self.draw()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        source = base64.b64encode(buffer.getvalue()).decode()
        self._shown = (
            f'<img src="data:image/svg+xml;base64,{source}" alt="{html.escape(alt)}" style="max-width: 100%">'
            f"<p>{html.escape(says)}</p>"
        )
        self._says = says
        # A white card, since the ink is dark and the notebook may be dark too.
        self._picture.value = f'<div style="background: white; color: #222; padding: 4px 8px">{self._shown}</div>'

    def _repr_mimebundle_(self, include=None, exclude=None):
        link = f'<a href="{COLAB}{self.notebook}.ipynb">Open the chapter in Colab and move it there</a>'
        return {
            "text/plain": self._says,
            "text/html": f"{self._shown}\n<p>{link}</p>",
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.widget.model_id,
            },
        }


class Widen(Explorable):
    """What `widen` returns.

    Attributes
    ----------
    width : int
    way : {"equal", "random", "undivided", "randompad"}
        How the new weights are made: copies with equal shares, copies with unequal shares, copies that are not divided,
        or random weights.
    seed : int
    student : keras.Model
        The network as it is now.
    mapping : ndarray of int, shape (width,)
        Which teacher unit each of its units copies.
    gap : float
        The largest difference between its output and the teacher's.
    """

    WAYS = (
        ("copies, equal shares", "equal"),
        ("copies, unequal shares", "random"),
        ("copies, not divided", "undivided"),
        ("random padding", "randompad"),
    )
    X = np.linspace(-1, 1, 201)[:, None]

    def __init__(self, teacher, *, width=None, seed=0, notebook="03_net2widernet"):
        _check_teacher(teacher)
        n = teacher.layers[0].units
        width = 2 * n if width is None else w.check_width("width", width, n)
        if width > 4 * n:
            raise Net2NetError(f"width: expected from {n} to {4 * n} for a teacher of {n} units, got {width}")
        self.teacher = teacher
        self._y = keras.ops.convert_to_numpy(teacher(self.X))
        style = {"description_width": "4em"}
        super().__init__(
            notebook,
            width=widgets.IntSlider(value=width, min=n, max=4 * n, description="width", style=style),
            way=widgets.Dropdown(options=self.WAYS, description="how", style=style),
            seed=widgets.BoundedIntText(value=seed, min=0, max=10**6, description="seed", style=style),
        )

    def draw(self):
        """Widen the teacher as the controls say, and draw both."""
        w1, b1, w2, b2 = self.teacher.get_weights()
        n, q = w1.shape[1], self.width
        # The first q of one mapping: as the width moves, units come and go at the end, and the others stay.
        self.mapping = w.random_mapping(n, 4 * n, self.seed)[:q]
        u1, c1, u2 = w1, b1, w2
        if q > n:
            init = "randompad" if self.way == "randompad" else "net2wider"
            split = "random" if self.way == "random" else "equal"
            u1, c1, u2 = w.wider2net_fc(w1, b1, w2, q, init, mapping=self.mapping, split=split, rng=self.seed)
        if self.way == "undivided":
            u2 = w2[self.mapping]
        self.student = _of_width(self.teacher, q)
        self.student.set_weights([u1, c1, u2, b2])

        y = keras.ops.convert_to_numpy(self.student(self.X))
        self.gap = function_gap(self.teacher, self.student, self.X)
        origins = np.where((np.arange(q) >= n) & (self.way == "randompad"), -1, self.mapping)
        figure = plots.widened_function(self.X.ravel(), self._y.ravel(), y.ravel(), origins, w2, u2, 4 * n)
        kept = self.gap <= 1e3 * np.finfo(self._y.dtype).eps * np.abs(self._y).max()
        says = f"width {q}: max |f_new − f_old| = {self.gap:.1e}, " + (
            "zero up to rounding: the function is kept." if kept else "the function has changed."
        )
        lies = "The student's curve lies on the teacher's" if kept else "The student's curve leaves the teacher's"
        how = {value: label for label, value in self.WAYS}[self.way]
        alt = f"{lies}. Below, the outgoing weights of {q} hidden units grown from {n}: {how}."
        return figure, alt, says


def _check_teacher(teacher):
    layers = getattr(teacher, "layers", [])
    fits = (
        len(layers) == 2
        and all(type(layer) is keras.layers.Dense and layer.built and layer.use_bias for layer in layers)
        and layers[0].kernel.shape[0] == layers[1].units == 1
    )
    if not fits:
        raise Net2NetError(
            "teacher: expected a built Sequential of two Dense layers with biases, from one number to one number, got "
            f"{getattr(teacher, 'name', teacher)!r} with layers {[type(layer).__name__ for layer in layers]}; "
            "for any other model see helpers.net2wider_net"
        )


def _of_width(teacher, width):
    """A network like the teacher, with another width and fresh weights."""
    hidden, out = teacher.layers
    return keras.Sequential(
        [
            keras.Input((1,), dtype=teacher.inputs[0].dtype),
            keras.layers.Dense.from_config(hidden.get_config() | {"units": width}),
            keras.layers.Dense.from_config(out.get_config()),
        ]
    )
