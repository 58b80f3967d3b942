"""Widen every model of keras.applications: is it exact, and what does it cost?

    python benchmarks/zoo.py [MODEL ...]

Each model is built without pretrained weights, on small images, and gets random weights and random batch statistics.
It is widened by 1.5, or by 2 where a layer normalization asks for a whole factor; where the student would have over 150
million parameters, only the group of its first convolution is, marked with a star. The table gives the gap to the
teacher, relative to the largest output (in float64 exact means below 1e-12); how much the teacher's own outputs change
if its inputs do in their last digit, beside which the gap is to be read; and the time of `net2wider_net` and its ratio
to the floor, which is `clone_model` of the student and `set_weights` of its arrays, in turn, as the median of three
rounds, or from one round above 25 million parameters: without asking on numbers (`check=False`), then with it.

    python benchmarks/zoo.py --reading

Does reading take longer for each operation the more there are? Chains of dense layers, up to 50,000 operations.
"""

import inspect
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from tqdm import tqdm

from helpers import Net2NetError, function_gap, net2wider_net
from helpers import reading as rd

DTYPE = os.environ.get("NET2NET_DTYPE", "float64")
LARGEST = 150e6  # parameters of a student
ROUNDS = 3  # of timing; one is enough for models that take minutes
LARGE = 25e6


def constructors():
    """The names of all models in keras.applications."""
    found = inspect.getmembers(keras.applications, inspect.isfunction)
    return [name for name, function in found if "weights" in inspect.signature(function).parameters]


def build(name, side=75):
    """A model with random weights and random batch statistics, and images for it."""
    function = getattr(keras.applications, name)
    while True:
        try:
            model = function(weights=None, input_shape=(side, side, 3), classes=10, classifier_activation=None)
            break
        except ValueError as error:  # some want larger images, NASNetLarge its own size
            if ("larger than" not in str(error) and "at least" not in str(error)) or side > 300:
                raise
            side += 1 if side < 80 else side
    rng = np.random.default_rng(0)
    adapted = {id(v) for layer in model.layers if isinstance(layer, keras.layers.Normalization) for v in layer.weights}
    for variable in model.weights:
        if id(variable) in adapted:
            continue  # its statistics count only once they are made final
        # A depthwise kernel, of one output for each channel, sees that channel alone.
        seen = variable.shape[: -2 if len(variable.shape) == 4 and variable.shape[-1] == 1 else -1]
        array = rng.normal(size=variable.shape) * np.sqrt(2 / max(1, np.prod(seen)))
        if len(variable.shape) < 2:  # small, or rounding grows from layer to layer of a deep model
            array = rng.uniform(*((0.1, 0.4) if variable.name == "gamma" else (-0.1, 0.4)), size=variable.shape)
        variable.assign(array)
    x = rng.normal(size=(4, side, side, 3))
    if any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers):
        x = 128 + 64 * x
    settle(model, x, rng)
    return model, x


def settle(model, x, rng):
    """Give batch normalizations statistics near those of what they meet, or signals die away in a deep random model."""
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(x, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
        variance = layer.moving_variance.numpy()
        layer.moving_mean.assign_add(rng.normal(scale=0.1, size=variance.shape) * np.sqrt(variance))
        layer.moving_variance.assign(variance * rng.uniform(0.8, 1.2, size=variance.shape) + 1e-3)


def seconds(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def floor(student):
    arrays = student.get_weights()

    def clone():
        copy = keras.models.clone_model(student)
        copy.set_weights(arrays)

    return clone


def measure(name):
    keras.backend.clear_session()
    teacher, x = build(name)
    factor = 2 if any("LayerNorm" in type(layer).__name__ for layer in teacher.layers) else 1.5
    widths, shown = factor, f"{factor}"
    if teacher.count_params() * factor**2 > LARGEST:
        first = next(layer for layer in teacher._flatten_layers() if isinstance(layer, keras.layers.Conv2D))
        widths, shown = {first.name: int(first.filters * factor)}, f"{factor}*"
    how = {"split": "random", "seed": 0}
    try:
        student = net2wider_net(teacher, widths, **how)
    except Net2NetError as error:
        return f"{teacher.count_params():>12,}  refused: {error}"
    outputs = keras.ops.convert_to_numpy(teacher(x))
    largest = np.abs(outputs).max()
    if np.ptp(outputs, axis=0).max() < 1e-3 * largest:
        return (
            f"{teacher.count_params():>12,}  not measured: with these weights its outputs do not depend on its inputs"
        )
    gap = function_gap(teacher, student, x) / largest
    nudged = keras.ops.convert_to_numpy(teacher(np.nextafter(x.astype(DTYPE), np.inf)))
    rounding = np.abs(nudged - outputs).max() / largest
    clone = floor(student)
    times = [
        (
            seconds(lambda: net2wider_net(teacher, widths, check=False, **how))[0],
            seconds(lambda: net2wider_net(teacher, widths, **how))[0],
            seconds(clone)[0],
        )
        for _ in range(1 if teacher.count_params() > LARGE else ROUNDS)
    ]
    ratios = [np.median([each[i] / each[2] for each in times]) for i in (0, 1)]
    return (
        f"{teacher.count_params():>12,}{student.count_params():>13,}{shown:>7}{gap:>10.1e}{rounding:>10.1e}"
        f"{np.median([each[1] for each in times]):>9.2f}{ratios[0]:>7.2f}{ratios[1]:>9.2f}"
    )


def reading(most):
    """Print the time of reading for each operation, as a ratio to that of the smallest model."""
    print(f"{'operations':>10}{'seconds':>9}{'us each':>9}{'ratio':>7}")
    first = None
    for count in (n for n in (1_000, 5_000, 15_000, 50_000) if n <= most):
        x = start = keras.Input((4,))
        for _ in range(count // 6):  # a dense layer with an activation takes six: two weights are read
            x = keras.layers.Dense(4, activation="relu")(x)
        model = keras.Model(start, x)
        traced = seconds(lambda model=model: rd.trace(model, None, 8))[0]
        whole, found = seconds(lambda model=model: rd.read(model))
        operations = len(found.graph.get_operations())
        each = 1e6 * (whole - traced) / operations
        first = first or each
        print(f"{operations:>10,}{whole - traced:>9.2f}{each:>9.1f}{each / first:>7.2f}", flush=True)


if __name__ == "__main__":
    keras.config.set_floatx(DTYPE)
    if sys.argv[1:2] == ["--reading"]:
        reading(int(sys.argv[2]) if sys.argv[2:] else 50_000)
        sys.exit()
    print(f"{'model':<20}{'parameters':>12}{'widened':>13}{'factor':>7}", end="")
    print(f"{'gap':>10}{'rounding':>10}{'seconds':>9}{'ratio':>7}{'checked':>9}   {DTYPE}")
    for name in tqdm(sys.argv[1:] or constructors(), disable=None):
        tqdm.write(f"{name:<20}{measure(name)}")
        sys.stdout.flush()
