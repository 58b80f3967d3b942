"""What callers may pass: the checks that all rooms share, and their error."""

import numbers
import operator
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


class Net2NetError(ValueError):
    """What was asked for cannot be done exactly; the message says what, why, and what to do instead."""


def check_width(name: str, value: int, least: int) -> int:
    """Return `value` as an int, or say that it is none or too small."""
    try:
        value = operator.index(value)
    except TypeError:
        raise Net2NetError(f"{name}: expected an integer, got {value!r}; round it first") from None
    if value < least:
        raise Net2NetError(f"{name}: expected at least {least}, got {value}")
    return value


def check_mapping(mapping: ArrayLike, n: int, q: int) -> np.ndarray:
    """Return `mapping` as an array, or say why it does not map `q` units to `n` with the identity first."""
    mapping = np.asarray(mapping)
    if mapping.shape != (q,) or not np.issubdtype(mapping.dtype, np.integer):
        raise Net2NetError(
            f"mapping: expected {q} integers, one for each student unit, got shape {mapping.shape} of {mapping.dtype}"
        )
    if not np.array_equal(mapping[:n], np.arange(n)):
        raise Net2NetError(f"mapping: expected it to begin with 0..{n - 1}, got {mapping[:n]}; copies come after")
    if mapping.min() < 0 or mapping.max() >= n:
        raise Net2NetError(f"mapping: expected values from 0 to {n - 1}, the teacher's units, got {mapping}")
    return mapping


def check_floating(name: str, array: np.ndarray) -> None:
    """Refuse an array of what shares cannot divide and noise cannot disturb."""
    if array.dtype.kind in "biuOSU":
        raise Net2NetError(
            f"{name}: expected floating-point numbers, which shares can divide, got {array.dtype}; "
            "use astype('float32')"
        )


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a value that is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise Net2NetError(f"{name}: expected {' or '.join(map(repr, choices))}, got {value!r}")


def check_noise(noise: float) -> None:
    """Refuse noise that is not a standard deviation."""
    if not isinstance(noise, numbers.Real) or not 0 <= noise < np.inf:
        raise Net2NetError(f"noise: expected a standard deviation of 0 or more, got {noise!r}")


def generator(seed: int | None, name: str = "seed") -> np.random.Generator:
    """A source of draws from a seed, or from what the operating system gives if it is None."""
    return np.random.default_rng(None if seed is None else check_width(name, seed, 0))


def warn_if_not_finite(name: str, array: np.ndarray, stacklevel: int) -> None:
    """Say when weights hold NaN or infinity: they are passed on, and what comes of them is not Net2Net's doing."""
    # The least and the largest entry hand on NaN, and cost no array of answers.
    if np.size(array) and not np.isfinite([np.min(array), np.max(array)]).all():
        text = f"{name}: has NaN or infinite weights; they are copied as they are"
        warnings.warn(text, RuntimeWarning, stacklevel=stacklevel)
