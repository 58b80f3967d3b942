"""Placing an array's entries by a mapping: all that widening a layer does."""

import numpy as np

from helpers.checks import check_floating

PAD_STDDEV = 0.1  # the scale of 'randompad' weights, as in the article and in the old Keras example


def indices(mapping):
    """`mapping` in the integers that NumPy counts with: where they have 32 bits, it takes no wider ones as indices."""
    return np.asarray(mapping).astype(np.intp, casting="same_kind", copy=False)


def place_outputs(array: np.ndarray, mapping: np.ndarray, axis: int = -1) -> np.ndarray:
    """Let the axis of `array` that counts outputs follow `mapping`: copies repeat their teacher unit's entries.

    >>> place_outputs(np.array([[1.0, 2.0]]), [0, 1, 1])
    array([[1., 2., 2.]])
    """
    return np.take(array, indices(mapping), axis=axis)


def place_inputs(array: np.ndarray, mapping: np.ndarray, shares: np.ndarray, axis: int = -2) -> np.ndarray:
    """Let the axis of `array` that counts inputs follow `mapping`, each entry multiplied by its copy's share.

    >>> place_inputs(np.array([[1.0], [2.0]]), [0, 1, 1], [1, 0.5, 0.5])
    array([[1.],
           [1.],
           [1.]])
    """
    check_floating("weights", array)
    placed = np.take(array, indices(mapping), axis=axis)
    shares = np.asarray(shares).astype(array.dtype)
    placed *= np.expand_dims(shares, tuple(range(1, array.ndim - axis % array.ndim)))
    return placed


def place_parted(
    array: np.ndarray, mapping: np.ndarray, split: str, rng: np.random.Generator, axis: int = -2
) -> np.ndarray:
    """Let the axis of `array` that counts inputs follow `mapping`, so that copies differ in every weight.

    With "weights" each weight has shares of its own. With "noise" the shares are equal, and each copy gets noise of the
    weights' own size, from which the mean over the copies is taken away, so that it cancels.

    >>> placed = place_parted(np.array([[1.0], [2.0]]), [0, 1, 1], "noise", np.random.default_rng(0))
    >>> placed[0], (placed[1] + placed[2]).round(12)
    (array([1.]), array([2.]))
    """
    check_floating("weights", array)
    mapping = indices(mapping)
    placed, precision = np.take(array, mapping, axis=axis), np.promote_types(array.dtype, "float32")
    drawn = rng.random(placed.shape, precision) if split == "weights" else rng.standard_normal(placed.shape, precision)
    if split == "weights":
        drawn += 0.25  # away from 0, so that no copy starts cut off from the next layer
    order = np.argsort(mapping, kind="stable")
    starts = np.searchsorted(mapping[order], np.arange(array.shape[axis]))
    sums = np.take(np.add.reduceat(np.take(drawn, order, axis=axis), starts, axis=axis), mapping, axis=axis)
    if split == "weights":
        return (placed * (drawn / sums)).astype(array.dtype)
    counts = np.bincount(mapping)[mapping].astype(precision)
    counts = np.expand_dims(counts, tuple(range(1, array.ndim - axis % array.ndim)))
    size = np.sqrt(np.mean(np.square(array, dtype=precision)))
    return ((placed + size * (drawn - sums / counts)) / counts).astype(array.dtype)


def add_noise(array: np.ndarray, new: np.ndarray, noise: float, rng: np.random.Generator, axis: int = -1) -> np.ndarray:
    """Disturb the entries of `array` that `new` (a bool for each entry of `axis`) marks as copies.

    Each weight w of a copy becomes ``w * (1 + noise * e)`` with a standard normal e; all other weights stay.
    """
    array = np.moveaxis(array.copy(), axis, -1)
    copies = array[..., new]
    array[..., new] = copies * (1 + noise * rng.standard_normal(copies.shape))
    return np.moveaxis(array, -1, axis)


def pad_random(array: np.ndarray, new: np.ndarray, rng: np.random.Generator, axis: int = -1) -> np.ndarray:
    """Put normal draws of standard deviation `PAD_STDDEV` where `new` marks entries of `axis`: the baseline's way."""
    array = np.moveaxis(array.copy(), axis, -1)
    array[..., new] = rng.normal(0.0, PAD_STDDEV, size=array[..., new].shape)
    return np.moveaxis(array, -1, axis)
