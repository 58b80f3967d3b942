"""A strategy of Hypothesis: models of layers of one's own, made of random operations on random axes.

A program is plain data: how wide things are, and steps. A step is a name and two numbers, which are taken modulo what
is there. So a program can be printed, shrunk, and built as many times as wide.
"""

from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st
from keras import layers as kl
from keras import ops

MOST = 64  # numbers in a tensor, for one example: the tests are to be fast
UNARY = (ops.relu, ops.tanh, ops.sigmoid, ops.square, ops.negative, ops.abs, keras.activations.gelu, lambda x: 1 - x)


class DoesNotFit(ValueError):
    """A step that cannot be taken here."""


def fits(condition):
    if not condition:
        raise DoesNotFit


@dataclass
class State:
    """What the steps work on: a tensor, what was put aside, and where weights come from."""

    x: object
    widths: list
    weight: object = None  # (shape) -> a weight; None where there are none
    aside: list = field(default_factory=list)
    used: list = field(default_factory=list)

    def __post_init__(self):
        self.aside.append(self.x)

    @property
    def shape(self):
        return tuple(self.x.shape)

    def axis(self, number):
        """Any axis but that of the batch."""
        return 1 + number % (len(self.shape) - 1)

    def make(self, *shape):
        fits(self.weight is not None)
        self.used.append(self.weight(shape))
        return self.used[-1]


def letters(rank):
    return "abcdefg"[:rank]


def contract(x, weight, axis):
    """The axis is contracted with the first of the weight's; the second takes its place."""
    before = letters(len(x.shape))
    after = before.replace(before[axis], "z")
    return ops.einsum(f"{before},{before[axis]}z->{after}", x, weight)


def along(vector, axis, rank):
    """A vector that lies along an axis."""
    return ops.reshape(vector, [-1 if a == axis else 1 for a in range(rank)])


STEPS = {}


def step(function):
    STEPS[function.__name__] = function
    return function


# Steps with weights


@step
def project(s, i, j):
    """A dense layer over any axis."""
    axis = s.axis(i)
    s.x = contract(s.x, s.make(s.shape[axis], s.widths[j % len(s.widths)]), axis)


@step
def twice(s, i, j):
    """A dense layer that is two times as wide as a setting says, for a gate."""
    axis = s.axis(i)
    s.x = contract(s.x, s.make(s.shape[axis], 2 * s.widths[j % len(s.widths)]), axis)
    gate(s, axis - 1, j)


@step
def shift(s, i, j):
    axis = s.axis(i)
    s.x = s.x + along(s.make(s.shape[axis]), axis, len(s.shape))


@step
def scale(s, i, j):
    axis = s.axis(i)
    s.x = s.x * along(s.make(s.shape[axis]), axis, len(s.shape))


@step
def places(s, i, j):
    """A weight for two axes at once."""
    fits(len(s.shape) > 2)
    s.x = s.x + s.make(1, *s.shape[1:3], *[1] * (len(s.shape) - 3))


@step
def both(s, i, j):
    """Two axes are contracted with one weight."""
    fits(len(s.shape) == 3)
    s.x = ops.einsum("bij,ijk->bk", s.x, s.make(*s.shape[1:], s.widths[j % len(s.widths)]))


@step
def tied(s, i, j):
    """A weight, and the same one turned round."""
    axis, width = s.axis(i), s.widths[j % len(s.widths)]
    weight = s.make(s.shape[axis], width)
    s.x = contract(UNARY[j % 3](contract(s.x, weight, axis)), ops.transpose(weight), axis)


@step
def again(s, i, j):
    """A weight that was used before, where it fits."""
    axis = s.axis(i)
    fitting = [w for w in s.used if len(w.shape) == 2 and s.shape[axis] in w.shape]
    fits(fitting)
    weight = fitting[j % len(fitting)]
    s.x = contract(s.x, weight if weight.shape[0] == s.shape[axis] else ops.transpose(weight), axis)


@step
def joined(s, i, j):
    """Weights that are put together, or multiplied, before they are used."""
    axis, width = s.axis(i), s.widths[j % len(s.widths)]
    if j % 2:
        weight = ops.concatenate([s.make(s.shape[axis], width), s.make(s.shape[axis], s.widths[0])], axis=1)
    else:
        weight = ops.matmul(s.make(s.shape[axis], width), s.make(width, s.widths[0]))
    s.x = contract(s.x, weight, axis)


@step
def attend(s, i, j):
    """Queries, keys and values over two axes, whichever is which."""
    fits(len(s.shape) == 3)
    x = ops.swapaxes(s.x, 1, 2) if i % 2 else s.x
    size, width = x.shape[-1], s.widths[j % len(s.widths)]
    q, k, v = (ops.matmul(x, s.make(size, width)) for _ in range(3))
    y = ops.matmul(ops.softmax(ops.matmul(q, ops.transpose(k, (0, 2, 1))) * 0.5, axis=-1), v)
    s.x = ops.swapaxes(y, 1, 2) if i % 2 else y


@step
def convolve(s, i, j):
    fits(len(s.shape) == 3 and s.shape[1] > 1)
    s.x = ops.conv(s.x, s.make(2, s.shape[2], s.widths[j % len(s.widths)]), padding="same" if i % 2 else "valid")


@step
def loop(s, i, j):
    """A recurrence over the second axis, in one of four ways."""
    fits(len(s.shape) == 3)
    x, width = s.x, s.widths[j % len(s.widths)]
    x = ops.matmul(x, s.make(s.shape[2], width))
    weight, start = s.make(width, width), ops.zeros_like(x[:, 0])

    def body(h, now):
        return ops.tanh(now + ops.matmul(h, weight))

    if i % 4 == 0:
        for t in range(x.shape[1]):
            start = body(start, x[:, t])
        s.x = start
    elif i % 4 == 1:
        s.x = tf.while_loop(lambda t, h: t < 3, lambda t, h: (t + 1, body(h, x[:, 0])), (0, start))[1]
    elif i % 4 == 2:
        s.x = ops.fori_loop(0, 2, lambda t, h: body(h, x[:, 0]), start)
    else:
        hs = ops.scan(lambda h, now: (body(h, now),) * 2, start, ops.swapaxes(x, 0, 1))[1]
        s.x = ops.swapaxes(hs, 0, 1)


# Steps without weights


@step
def unary(s, i, j):
    s.x = UNARY[j % len(UNARY)](s.x)


@step
def gate(s, i, j):
    """Halves: beside each other, or by turns."""
    axis = s.axis(i)
    fits(s.shape[axis] % 2 == 0)
    if j % 3:
        a, b = ops.split(s.x, 2, axis=axis)
    else:
        a, b = (s.x[(slice(None),) * axis + (slice(start, None, 2),)] for start in (0, 1))
    s.x = a * ops.sigmoid(b)


@step
def cut(s, i, j):
    """A part of an axis."""
    axis, size = s.axis(i), s.shape[s.axis(i)]
    fits(size > 1)
    part = (slice(size // 2), slice(size // 2, None), slice(1, None), slice(-1, None), slice(None, None, 2))[j % 5]
    s.x = s.x[(slice(None),) * axis + (part,)]


@step
def swap(s, i, j):
    fits(len(s.shape) > 2 and s.axis(i) != s.axis(j))
    s.x = ops.swapaxes(s.x, s.axis(i), s.axis(j))


@step
def heads(s, i, j):
    """An axis becomes two."""
    axis, count = s.axis(i), 2 + j // 2 % 2
    size = s.shape[axis]
    fits(size % count == 0 and len(s.shape) < 5)
    two = (count, size // count) if j % 2 else (size // count, count)
    s.x = ops.reshape(s.x, (-1, *s.shape[1:axis], *two, *s.shape[axis + 1 :]))


@step
def merge(s, i, j):
    """Two axes become one."""
    fits(len(s.shape) > 2)
    axis = 1 + i % (len(s.shape) - 2)
    s.x = ops.reshape(s.x, (-1, *s.shape[1:axis], s.shape[axis] * s.shape[axis + 1], *s.shape[axis + 2 :]))


@step
def statistic(s, i, j):
    """What goes on as one number for an axis, taken off or multiplied."""
    axis = s.axis(i)
    function = (ops.mean, ops.max, ops.min, ops.sum, ops.var)[j % 5]
    y = function(s.x, axis=axis if j % 2 else axis - len(s.shape), keepdims=True)
    s.x = s.x * ops.sigmoid(y) if j // 5 % 2 else s.x - y


@step
def normalize(s, i, j):
    """A normalization by hand."""
    axis = s.axis(i)
    x = s.x - ops.mean(s.x, axis=axis, keepdims=True)
    s.x = x * ops.rsqrt(ops.mean(x * x, axis=axis, keepdims=True) + 0.1)


@step
def reduce(s, i, j):
    fits(len(s.shape) > 2)
    s.x = (ops.mean, ops.max, ops.sum, ops.logsumexp)[j % 4](s.x, axis=s.axis(i))


@step
def over_axis(s, i, j):
    """What mixes along an axis, or sets it in order."""
    axis = s.axis(i)
    functions = (
        lambda x: ops.softmax(x, axis=axis),
        lambda x: ops.cumsum(x, axis=axis),
        lambda x: ops.flip(x, axis=axis),
        lambda x: ops.roll(x, 1, axis=axis),
        lambda x: ops.sort(x, axis=axis),
        lambda x: ops.take(x, [0, x.shape[axis] - 1, 0], axis=axis),
        lambda x: ops.pad(x, [(1, 0) if a == axis else (0, 0) for a in range(len(x.shape))]),
        lambda x: ops.repeat(x, 2, axis=axis),
        lambda x: ops.tile(x, [2 if a == axis else 1 for a in range(len(x.shape))]),
        lambda x: x * along(np.linspace(0.5, 1.5, x.shape[axis]), axis, len(x.shape)),
        lambda x: ops.where(along(np.arange(x.shape[axis]) % 2 == 0, axis, len(x.shape)), x, 0.1),
        lambda x: ops.expand_dims(x, axis),
    )
    s.x = functions[j % len(functions)](s.x)


@step
def choose(s, i, j):
    """Where, clip, maximum with a number."""
    x = s.x
    s.x = (ops.where(x > 0.1, x, 0.3), ops.clip(x, -1, 1), ops.maximum(x, 0.1 * x))[j % 3]


@step
def put_aside(s, i, j):
    s.aside.append(s.x)


@step
def take_up(s, i, j):
    """What was put aside is added, multiplied, put beside, or multiplied as matrices."""
    fits(s.aside)
    y = s.aside[-1 - i % len(s.aside)]
    if len(s.shape) == len(y.shape) == 3 and j % 5 == 4:
        fits(s.shape[2] == y.shape[1])
        s.x = ops.matmul(s.x, y)
        return
    fits(len(y.shape) == len(s.shape))
    differ = [a for a in range(1, len(s.shape)) if s.shape[a] != y.shape[a]]
    if j % 2:
        fits(len(differ) < 2)
        s.x = ops.concatenate([s.x, y], axis=differ[0] if differ else s.axis(i))
    else:
        fits(all(1 in (s.shape[a], y.shape[a]) for a in differ))
        s.x = s.x + y if j % 4 else s.x * y


def walk(s, steps):
    """Take the steps that fit; return them."""
    taken = []
    for name, i, j in steps:
        before = (s.x, len(s.aside), len(s.used))
        try:
            STEPS[name](s, i, j)
            fits(np.prod(s.shape[1:]) <= MOST and 1 < len(s.shape) <= 5)
        except DoesNotFit:
            s.x = before[0]
            del s.aside[before[1] :], s.used[before[2] :]
        else:
            taken.append((name, i, j))
    return taken


@keras.saving.register_keras_serializable("random")
class Own(kl.Layer):
    """A layer of one's own: a few widths, and steps that always fit, whatever the widths."""

    def __init__(self, widths, steps, **kwargs):
        super().__init__(**kwargs)
        self.widths, self.steps, self.own = list(widths), [tuple(step) for step in steps], []

    def build(self, shape):
        def make(size):
            self.own.append(self.add_weight(size, name=f"w{len(self.own)}"))
            return ops.convert_to_tensor(self.own[-1])

        self.take(ops.zeros((2, *shape[1:]), dtype=self.compute_dtype), make)

    def take(self, x, weight):
        s = State(x, self.widths, weight)
        for name, i, j in self.steps:
            STEPS[name](s, i, j)
        return s.x

    def call(self, x):
        left = iter(self.own)
        return self.take(x, lambda shape: ops.convert_to_tensor(next(left)))

    def compute_output_shape(self, shape):
        sizes = self.take(np.zeros((2, *shape[1:])), lambda size: np.zeros(size)).shape
        return (shape[0], *sizes[1:])

    def get_config(self):
        return super().get_config() | {"widths": self.widths, "steps": self.steps}


# Layers of Keras between them: those for any axes, then those for a sequence

ANYWHERE = (
    lambda w, i: kl.Dense(w, activation=("relu", "tanh", "linear", "gelu")[i % 4]),
    lambda w, i: kl.BatchNormalization(),
    lambda w, i: kl.LayerNormalization(),
    lambda w, i: kl.Dense(w, use_bias=False),
    lambda w, i: kl.PReLU(),
    lambda w, i: kl.Flatten(),
)
KERAS = (
    *ANYWHERE,
    lambda w, i: kl.BatchNormalization(axis=1),
    lambda w, i: kl.LayerNormalization(axis=(1, [1, 2])[i % 2]),
    lambda w, i: kl.EinsumDense("abc,cd->abd", (None, w), bias_axes="d" if i % 2 else None, activation="relu"),
    lambda w, i: kl.EinsumDense("abc,bd->adc", (w, None), activation="tanh"),
    lambda w, i: kl.Conv1D(w, 2, padding="causal", activation="relu"),
    lambda w, i: kl.LSTM(w, return_sequences=bool(i % 2)),
    lambda w, i: kl.Bidirectional(kl.GRU(w, return_sequences=True)),
    lambda w, i: kl.GroupNormalization(-1, axis=-1 - i % 2),
    lambda w, i: kl.Permute((2, 1)),
    lambda w, i: kl.Attention(),
    lambda w, i: kl.MultiHeadAttention(2, w),
)


def use(layer, x):
    if isinstance(layer, kl.Attention):
        return layer([x, x])
    return layer(x, x) if isinstance(layer, kl.MultiHeadAttention) else layer(x)


@dataclass
class Program:
    """All that is needed to build a model, at any width."""

    words: bool
    ends: list  # of parts; each end is a way from the input to the output
    widths: list
    join: int = 0
    fresh: bool = field(default=True, repr=False)  # not built yet: steps may be left out

    def build(self, times=1):
        """The model; with `times`, its hidden widths are so many times as large."""
        source = keras.Input((3,), dtype="int32") if self.words else keras.Input((3, 2))
        widths = [round(times * width) for width in self.widths]
        x = kl.Embedding(5, widths[0], name="embedding")(source) if self.words else source
        ys = [self.lead(x, parts, widths, f"{'ab'[n]}") for n, parts in enumerate(self.ends)]
        if len(ys) > 1 and len(ys[0].shape) == len(ys[1].shape):
            differ = [a for a in range(1, len(ys[0].shape)) if ys[0].shape[a] != ys[1].shape[a]]
            if self.join % 2 and not differ:
                ys = [ops.add(*ys)]
            elif len(differ) < 2:
                ys = [ops.concatenate(ys, axis=differ[0] if differ else -1)]
        ys = [self.end(y) for y in ys]
        outputs = [kl.Dense(2, name=f"out{n}")(y) for n, y in enumerate(ys)]
        self.fresh = False
        return keras.Model(source, outputs[0] if len(outputs) == 1 else outputs)

    def end(self, y):
        """One row for each example: all that is there, or the largest along the axes in between."""
        if len(y.shape) == 2:
            return y
        return kl.Flatten()(y) if self.join % 3 else ops.max(y, axis=tuple(range(1, len(y.shape) - 1)))

    def lead(self, x, parts, widths, name):
        for n, (kind, what) in enumerate(parts):
            if kind == "own":
                steps = walk(State(np.zeros((2, *x.shape[1:])), self.widths, np.zeros), what) if self.fresh else what
                parts[n] = ("own", steps)
                x = Own(widths, steps, name=f"{name}{n}")(x) if steps else x
            elif kind == "graph":
                steps = walk(State(np.zeros((2, *x.shape[1:])), self.widths), what) if self.fresh else what
                parts[n] = ("graph", steps)
                s = State(x, widths)
                for which, i, j in steps:
                    STEPS[which](s, i, j)
                x = s.x
            else:
                try:
                    makers = KERAS if len(x.shape) == 3 else ANYWHERE
                    y = use(makers[what[0] % len(makers)](widths[what[1] % len(widths)], what[1]), x)
                    fits(None not in y.shape[1:] and np.prod(y.shape[1:]) <= MOST * 4)
                    x = y
                except (ValueError, IndexError, TypeError):  # it is made for other axes
                    fits(self.fresh)
                    parts[n] = ("own", [])
        return x


WITH_WEIGHTS = "project twice shift scale places both tied again joined attend convolve loop".split()
WITHOUT = [name for name in STEPS if name not in WITH_WEIGHTS]


@st.composite
def models(draw):
    """Programs; `build` makes the model. Steps that do not fit are left out as it is built for the first time."""
    number = st.integers(0, 59)
    steps = st.lists(st.tuples(st.sampled_from([*WITH_WEIGHTS, *WITHOUT]), number, number), min_size=2, max_size=7)
    graph = st.lists(st.tuples(st.sampled_from(WITHOUT), number, number), min_size=1, max_size=3)
    part = st.one_of(
        st.tuples(st.just("own"), steps),
        st.tuples(st.just("keras"), st.tuples(number, number)),
        st.tuples(st.just("keras"), st.tuples(number, number)),
        st.tuples(st.just("graph"), graph),
    )
    ends = draw(st.lists(st.lists(part, min_size=2, max_size=4), min_size=1, max_size=2))
    widths = draw(st.lists(st.sampled_from([2, 4, 4, 6]), min_size=2, max_size=3))
    return Program(draw(st.booleans()), [list(end) for end in ends], widths, draw(number))
