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
    weights' own size, from which the mean over the copies is taken away, so that it cancels. Weights that are all zero,
    as at the end of a new block, have no size: they get noise of the size of a new layer's weights, since shares of
    zero are equal, and the copies before them would have equal gradients for ever.

    >>> placed = place_parted(np.array([[1.0], [2.0]]), [0, 1, 1], "noise", np.random.default_rng(0))
    >>> placed[0], (placed[1] + placed[2]).round(12)
    (array([1.]), array([2.]))
    """
    check_floating("weights", array)
    mapping, source = indices(mapping), np.moveaxis(array, axis, 0)
    precision = np.promote_types(array.dtype, "float32")
    counts, (_, firsts) = np.bincount(mapping), np.unique(mapping, return_index=True)
    # Bytes are drawn, since numbers of full precision would take longer than all else.
    drawn = rng.integers(256, size=(mapping.size, *source.shape[1:]), dtype=np.uint8).astype(precision)
    if split == "weights":
        drawn += 64  # away from 0, so that no copy starts cut off from the next layer
        drawn[counts[mapping] == 1] = 1
    sums = drawn[firsts]
    for j in np.setdiff1d(np.arange(mapping.size), firsts):
        sums[mapping[j]] += drawn[j]
    if split == "weights":
        placed = np.take(source / sums, mapping, axis=0)
        placed *= drawn
    else:
        copies = counts.astype(precision).reshape(-1, *[1] * (array.ndim - 1))
        scale = _size(array, precision) or _new_size(source)
        size = np.where(copies > 1, scale / np.std(np.arange(256)), 0)
        size = size.astype(precision) / copies
        placed = np.take(source / copies - sums * (size / copies), mapping, axis=0)
        drawn *= size[mapping]
        placed += drawn
    return np.moveaxis(placed.astype(array.dtype, copy=False), 0, axis)


def _size(array, precision):
    """The size of an array's numbers, as the root of their mean square; of the finite ones, if not all are."""
    with np.errstate(over="ignore"):
        if array.size and np.isfinite(mean := np.mean(np.square(array, dtype=precision))):
            return np.sqrt(mean)
    finite = array[np.isfinite(array)]
    return np.sqrt(np.mean(np.square(finite, dtype="float64"))) if finite.size else 0.0


def _new_size(source):
    """The size of a new layer's weights, whose first axis is summed up and whose last counts outputs: LeCun's."""
    return np.sqrt(source.shape[-1] / source.size) if source.size else 0.0


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
