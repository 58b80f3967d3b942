"""The mathematics of Net2Net: arrays in, arrays out, NumPy alone.

Everything rests on two facts. A *mapping* says which teacher unit each student unit copies. A *share* says how much of
that teacher unit's outgoing weight the copy carries. Units that copy the same teacher unit compute the same value, so
the next layer cannot tell them from it if their shares sum to one.

Kernels are in Keras' order: the last axis counts a layer's outputs, the last but one its inputs, and any axes before
them are positions. Arrays that come in are never changed; dtypes are kept.

References
----------
T. Chen, I. Goodfellow, J. Shlens. "Net2Net: Accelerating Learning via Knowledge Transfer". ICLR 2016, arXiv:1511.05641.
"""

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from helpers.checks import (
    Net2NetError,
    check_choice,
    check_floating,
    check_mapping,
    check_noise,
    check_width,
    generator,
    warn_if_not_finite,
)
from helpers.placing import add_noise, indices, pad_random, place_inputs, place_outputs, place_parted

INITS = ("net2wider", "zeropad", "randompad")
SHARED = ("equal", "random")  # one share for each unit
SPLITS = (*SHARED, "weights", "noise")
PAD_BIAS = 0.1
Source = int | np.random.Generator | None  # of draws: a seed, a generator, or what the operating system gives


# Mappings and shares


def _draws(rng):
    """A source of draws as it is, or made from a seed."""
    return rng if isinstance(rng, np.random.Generator) else generator(rng, "rng")


def random_mapping(n: int, q: int, rng: Source = None) -> np.ndarray:
    """Draw the mapping from the units of a wider layer to those of the teacher's.

    Parameters
    ----------
    n : int
        Width of the teacher's layer.
    q : int
        Width of the student's layer, at least `n`.
    rng : numpy.random.Generator, int or None
        Source of the draws, or a seed for one.

    Returns
    -------
    ndarray of int, shape (q,)
        ``mapping[j] == j`` for ``j < n``; each later entry is drawn uniformly from ``0..n-1``.

    Raises
    ------
    Net2NetError
        If `n` is below 1, `q` below `n`, or either is not an integer.

    Examples
    --------
    >>> random_mapping(3, 6, rng=0)
    array([0, 1, 2, 2, 1, 1])

    References
    ----------
    Chen et al. 2016, section 2.3.
    """
    n, q = check_width("n", n, 1), check_width("q", q, 1)
    if q < n:
        raise Net2NetError(f"q: expected a width of at least n = {n}, got {q}; Net2Net only adds units")
    return np.concatenate([np.arange(n), _draws(rng).integers(n, size=q - n)])


def balanced_mapping(n: int, q: int, rng: Source = None) -> np.ndarray:
    """Draw a mapping that gives every teacher unit equally many copies.

    Layer normalization averages over units, and keeps its mean and variance only under such a mapping.

    Parameters
    ----------
    n, q : int
        Widths of the teacher's and the student's layer; `q` must be a multiple of `n`.
    rng : numpy.random.Generator, int or None
        Source of the draws, or a seed for one.

    Returns
    -------
    ndarray of int, shape (q,)
        ``mapping[j] == j`` for ``j < n``, then the teacher's units in random order, each ``q // n - 1`` times.

    Raises
    ------
    Net2NetError
        If `q` is not a multiple of `n`.

    Examples
    --------
    >>> balanced_mapping(3, 6, rng=0)
    array([0, 1, 2, 2, 0, 1])
    """
    n, q = check_width("n", n, 1), check_width("q", q, 1)
    if q % n:
        raise Net2NetError(f"q: expected a multiple of n = {n}, so that all units get equally many copies, got {q}")
    copies = _draws(rng).permutation(np.tile(np.arange(n), q // n - 1))
    return np.concatenate([np.arange(n), copies])


def replication_counts(mapping: ArrayLike) -> np.ndarray:
    """Count the copies of each teacher unit, the unit itself included: its replication factor.

    Parameters
    ----------
    mapping : array_like of int, shape (q,)
        As `random_mapping` draws it.

    Returns
    -------
    ndarray of int, shape (n,)
        At least 1 everywhere; the sum is q.

    Raises
    ------
    Net2NetError
        If `mapping` does not hold every teacher unit.

    Examples
    --------
    >>> replication_counts([0, 1, 2, 2, 1, 1])
    array([1, 3, 2])

    References
    ----------
    Chen et al. 2016, section 2.3: the denominator of U(i+1).
    """
    mapping = np.asarray(mapping)
    if mapping.ndim != 1 or mapping.size == 0 or not np.issubdtype(mapping.dtype, np.integer):
        raise Net2NetError(f"mapping: expected a row of integers, got shape {mapping.shape} of {mapping.dtype}")
    if mapping.min() < 0 or (counts := np.bincount(indices(mapping))).min() == 0:
        raise Net2NetError(f"mapping: expected every unit from 0 to {mapping.max()} at least once, got {mapping}")
    return counts


def copy_shares(mapping: ArrayLike, split: str = "equal", rng: Source = None) -> np.ndarray:
    """Say how much of its teacher unit's outgoing weight each student unit carries.

    Parameters
    ----------
    mapping : array_like of int, shape (q,)
        As `random_mapping` draws it.
    split : {"equal", "random"}
        "equal": one over the number of copies, as in the paper; copies then get equal gradients and stay equal.
        "random": unequal positive shares; copies get different gradients, and the function is kept all the same.
    rng : numpy.random.Generator, int or None
        Source of the draws of "random", or a seed for one.

    Returns
    -------
    ndarray of float64, shape (q,)
        Positive; over the copies of each teacher unit they sum to 1.

    Raises
    ------
    Net2NetError
        If `split` is neither of the two, or `mapping` is not a mapping.

    Examples
    --------
    >>> copy_shares([0, 1, 2, 2, 1, 1])[[0, 2, 3]]
    array([1. , 0.5, 0.5])

    References
    ----------
    Chen et al. 2016, section 2.3, for "equal".
    """
    check_choice("split", split, SHARED)
    counts, mapping = replication_counts(mapping), indices(mapping)
    if split == "equal":
        return 1.0 / counts[mapping]
    # Away from 0, so that no copy starts cut off from the next layer.
    parts = _draws(rng).uniform(0.2, 1.0, size=mapping.size)
    return parts / np.bincount(mapping, weights=parts)[mapping]


# Wider


def wider2net_fc(
    w1: np.ndarray,
    b1: np.ndarray,
    w2: np.ndarray,
    new_width: int,
    init: str = "net2wider",
    *,
    mapping: ArrayLike | None = None,
    split: str = "noise",
    noise: float = 0.0,
    rng: Source = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Widen a dense layer: weights for it and for the dense layer that follows.

    Parameters
    ----------
    w1 : ndarray, shape (n_in, n)
        Kernel of the layer to widen.
    b1 : ndarray, shape (n,), or None
        Its bias.
    w2 : ndarray, shape (n, n_out)
        Kernel of the next layer.
    new_width : int
        The student's width q, above n.
    init : {"net2wider", "zeropad", "randompad"}
        "net2wider" copies units, and keeps the function. The others give new units random incoming weights (normal,
        standard deviation 0.1, bias 0.1): "zeropad" with outgoing weights of zero, which keeps the function too;
        "randompad", the baseline that does not, with random ones.
    mapping : array_like of int, shape (q,), optional
        Which teacher unit each student unit copies; it begins with ``0..n-1``. Drawn if left out. Padding copies none.
    split : {"noise", "equal", "random", "weights"}
        How the copies share the outgoing weights; all keep the function. "noise": equal shares, with noise that cancels
        among the copies. It is the default because the copies part at once, and students end best (chapter 10).
        "equal", the paper's, and "random": one share for each unit; see `copy_shares`. "weights": one share for each
        weight. Where all outgoing weights are zero, as at the end of a new block, "noise" alone parts the copies:
        shares of zero are zero.
    noise : float
        Standard deviation of the relative noise on the incoming weights of copies. 0 keeps the function.
    rng : numpy.random.Generator, int or None
        Source of every draw, or a seed for one.

    Returns
    -------
    w1 : ndarray, shape (n_in, q)
    b1 : ndarray, shape (q,), or None
    w2 : ndarray, shape (q, n_out)
        In the dtypes of the arrays given, which stay as they were.

    Raises
    ------
    Net2NetError
        If shapes do not fit together, an array does not hold floating-point numbers, `new_width` is not an integer
        above n, the mapping is not one, `noise` is negative, or `init` or `split` is unknown.

    Warns
    -----
    RuntimeWarning
        If a weight is NaN or infinite; it is copied like any other.

    Examples
    --------
    >>> w1, b1, w2 = np.array([[1.0, -2.0]]), np.array([0.5, 3.0]), np.array([[4.0], [6.0]])
    >>> u1, c1, u2 = wider2net_fc(w1, b1, w2, 3, mapping=[0, 1, 1], split="equal")
    >>> u1, c1
    (array([[ 1., -2., -2.]]), array([0.5, 3. , 3. ]))
    >>> u2.ravel()
    array([4., 3., 3.])

    By default the copies differ, and their weights have the same sum.

    >>> *_, u2 = wider2net_fc(w1, b1, w2, 3, mapping=[0, 1, 1], rng=0)
    >>> bool(u2[1] == u2[2]), float(u2.sum().round(12))
    (False, 10.0)

    References
    ----------
    Chen et al. 2016, section 2.3 and algorithm 1, for "equal". The other splits are not in the paper.
    """
    w1, w2 = np.asarray(w1), np.asarray(w2)
    if w1.ndim != 2:
        raise Net2NetError(f"w1: expected a dense kernel of shape (in, out), got {w1.shape}; see wider2net_conv2d")
    if w2.ndim != 2 or w2.shape[0] != w1.shape[1]:
        raise Net2NetError(
            f"w2: expected a dense kernel of shape ({w1.shape[1]}, out) behind w1 {w1.shape}, got {w2.shape}; "
            "its rows must be w1's columns"
        )
    return _wider(w1, b1, w2, new_width, init, mapping, split, noise, rng)


def wider2net_conv2d(
    w1: np.ndarray,
    b1: np.ndarray,
    w2: np.ndarray,
    new_width: int,
    init: str = "net2wider",
    *,
    mapping: ArrayLike | None = None,
    split: str = "noise",
    noise: float = 0.0,
    rng: Source = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Widen a convolution: weights for it and for the layer that follows.

    Convolutions over one, two or three dimensions are all the same here: positions come first, channels last.

    Parameters
    ----------
    w1 : ndarray, shape (..., n_in, n)
        Kernel of the convolution to widen, for example (height, width, n_in, n).
    b1 : ndarray, shape (n,), or None
        Its bias.
    w2 : ndarray, shape (..., n, n_out) or (positions * n, n_out)
        Kernel of the next convolution, or of the dense layer behind a Flatten, whose rows count the channels of the
        first position, then those of the second, and so on. A global pooling leaves one position.
    new_width, init, mapping, split, noise, rng
        As in `wider2net_fc`.

    Returns
    -------
    w1 : ndarray, shape (..., n_in, q)
    b1 : ndarray, shape (q,), or None
    w2 : ndarray, shape (..., q, n_out) or (positions * q, n_out)

    Raises
    ------
    Net2NetError
        As in `wider2net_fc`.

    Examples
    --------
    >>> w1, b1, w2 = np.ones((3, 3, 1, 4)), np.zeros(4), np.ones((5, 5, 4, 8))
    >>> [w.shape for w in wider2net_conv2d(w1, b1, w2, 6, rng=0)]
    [(3, 3, 1, 6), (6,), (5, 5, 6, 8)]
    >>> behind_flatten = np.ones((7 * 7 * 4, 10))
    >>> wider2net_conv2d(w1, b1, behind_flatten, 6, rng=0)[2].shape
    (294, 10)

    References
    ----------
    Chen et al. 2016, section 2.3: channels take the part of units.
    """
    w1, w2 = np.asarray(w1), np.asarray(w2)
    if w1.ndim < 3:
        raise Net2NetError(
            f"w1: expected a convolution kernel of shape (..., in, out), got {w1.shape}; see wider2net_fc"
        )
    n = w1.shape[-1]
    if w2.ndim < 2 or (w2.shape[0] % n if w2.ndim == 2 else w2.shape[-2] != n):
        raise Net2NetError(
            f"w2: expected a kernel of shape (..., {n}, out), or (positions * {n}, out) behind a Flatten, "
            f"after w1 {w1.shape}, got {w2.shape}"
        )
    if w2.ndim > 2:
        return _wider(w1, b1, w2, new_width, init, mapping, split, noise, rng)
    by_position = w2.reshape(-1, n, w2.shape[1])
    u1, c1, u2 = _wider(w1, b1, by_position, new_width, init, mapping, split, noise, rng)
    return u1, c1, u2.reshape(-1, w2.shape[1])


def _wider(w1, b1, w2, q, init, mapping, split, noise, rng):
    n = w1.shape[-1]
    q = check_width("new_width", q, 1)
    if q <= n:
        raise Net2NetError(f"new_width: expected more than the {n} units that w1 {w1.shape} has, got {q}")
    if b1 is not None and np.shape(b1) != (n,):
        raise Net2NetError(f"b1: expected shape ({n},) for w1 {w1.shape}, or None, got {np.shape(b1)}")
    check_noise(noise)
    for name, array in {"w1": w1, "b1": b1, "w2": w2}.items():
        if array is not None:
            check_floating(name, np.asarray(array))
            warn_if_not_finite(name, array, stacklevel=4)
    check_choice("init", init, INITS)
    check_choice("split", split, SPLITS)

    rng = _draws(rng)
    mapping = random_mapping(n, q, rng) if mapping is None else check_mapping(mapping, n, q)
    new = np.arange(q) >= n
    u1 = place_outputs(w1, mapping)
    if init == "net2wider" and split not in SHARED:
        u2 = place_parted(w2, mapping, split, rng)
    else:  # padding divides nothing
        u2 = place_inputs(w2, mapping, copy_shares(mapping, split, rng) if init == "net2wider" else ~new)
    c1 = None if b1 is None else place_outputs(np.asarray(b1), mapping)
    if init != "net2wider":
        u1 = pad_random(u1, new, rng)
        if init == "randompad":
            u2 = pad_random(u2, new, rng, axis=-2)
        if c1 is not None:
            c1[new] = PAD_BIAS
    elif noise:
        u1 = add_noise(u1, new, noise, rng)
    return u1, c1, u2


# Deeper


def deeper2net_fc(width: int, dtype: DTypeLike = "float32") -> tuple[np.ndarray, np.ndarray]:
    """Weights of a dense layer that passes its input on unchanged.

    Parameters
    ----------
    width : int
        Units of the layer before, and of the new one.
    dtype : dtype
        Of the weights.

    Returns
    -------
    w : ndarray, shape (width, width)
        The identity.
    b : ndarray, shape (width,)
        Zeros.

    Raises
    ------
    Net2NetError
        If `width` is not an integer above 0.

    Examples
    --------
    >>> deeper2net_fc(2)
    (array([[1., 0.],
           [0., 1.]], dtype=float32), array([0., 0.], dtype=float32))

    References
    ----------
    Chen et al. 2016, section 2.4.
    """
    width = check_width("width", width, 1)
    return np.eye(width, dtype=dtype), np.zeros(width, dtype=dtype)


def deeper2net_conv2d(
    teacher_w: np.ndarray, kernel_size: int | tuple[int, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a convolution that passes its input on unchanged, under padding 'same' and strides of 1.

    Parameters
    ----------
    teacher_w : ndarray, shape (..., in, out)
        Kernel of the convolution that the new one follows, over one, two or three dimensions.
    kernel_size : int or tuple of int, optional
        The new kernel's size; the teacher's if left out. Rectangular and even sizes are fine.

    Returns
    -------
    w : ndarray, shape (*kernel_size, out, out)
        Zero but for one tap a channel. It lies at ``(k - 1) // 2`` along a side of length k: the center of an odd
        side, and where 'same' padding puts the output's own position for an even one.
    b : ndarray, shape (out,)
        Zeros. Both are of the teacher's dtype.

    Raises
    ------
    Net2NetError
        If `teacher_w` is not a convolution kernel, or `kernel_size` does not fit it.

    Examples
    --------
    >>> w, b = deeper2net_conv2d(np.zeros((3, 3, 1, 2)), kernel_size=(1, 3))
    >>> w.shape
    (1, 3, 2, 2)
    >>> w[0, 1]
    array([[1., 0.],
           [0., 1.]])

    References
    ----------
    Chen et al. 2016, section 2.4: "set the convolution kernels to be identity filters".
    """
    teacher_w = np.asarray(teacher_w)
    if teacher_w.ndim < 3:
        raise Net2NetError(
            f"teacher_w: expected a convolution kernel (..., in, out), got {teacher_w.shape}; see deeper2net_fc"
        )
    rank, width = teacher_w.ndim - 2, teacher_w.shape[-1]
    sides = teacher_w.shape[:-2] if kernel_size is None else kernel_size
    sides = tuple(sides) if np.iterable(sides) else (sides,) * rank
    if len(sides) != rank:
        raise Net2NetError(
            f"kernel_size: expected one integer or {rank} for a teacher kernel {teacher_w.shape}, got {sides}"
        )
    sides = tuple(check_width("kernel_size", side, 1) for side in sides)
    w = np.zeros((*sides, width, width), teacher_w.dtype)
    w[tuple((side - 1) // 2 for side in sides)] = np.eye(width)
    return w, np.zeros(width, teacher_w.dtype)
