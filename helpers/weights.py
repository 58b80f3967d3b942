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

import numbers
import operator
import warnings

import numpy as np

PAD_STDDEV = 0.1  # the scale of 'randompad' weights, as in the article and in the old Keras example
INITS = ("net2wider", "zeropad", "randompad")
SPLITS = ("equal", "random")
PAD_BIAS = 0.1


class Net2NetError(ValueError):
    """What was asked for cannot be done exactly; the message says what, why, and what to do instead."""


# Mappings and shares


def random_mapping(n, q, rng=None):
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


def balanced_mapping(n, q, rng=None):
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


def replication_counts(mapping):
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
    if mapping.min() < 0 or (counts := np.bincount(_indices(mapping))).min() == 0:
        raise Net2NetError(f"mapping: expected every unit from 0 to {mapping.max()} at least once, got {mapping}")
    return counts


def copy_shares(mapping, split="equal", rng=None):
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
    check_choice("split", split, SPLITS)
    counts, mapping = replication_counts(mapping), _indices(mapping)
    if split == "equal":
        return 1.0 / counts[mapping]
    # Away from 0, so that no copy starts cut off from the next layer.
    parts = _draws(rng).uniform(0.2, 1.0, size=mapping.size)
    return parts / np.bincount(mapping, weights=parts)[mapping]


# Placing an array's entries by a mapping: all that widening a layer does


def place_outputs(array, mapping, axis=-1):
    """Let the axis of `array` that counts outputs follow `mapping`: copies repeat their teacher unit's entries.

    >>> place_outputs(np.array([[1.0, 2.0]]), [0, 1, 1])
    array([[1., 2., 2.]])
    """
    return np.take(array, _indices(mapping), axis=axis)


def place_inputs(array, mapping, shares, axis=-2):
    """Let the axis of `array` that counts inputs follow `mapping`, each entry multiplied by its copy's share.

    >>> place_inputs(np.array([[1.0], [2.0]]), [0, 1, 1], [1, 0.5, 0.5])
    array([[1.],
           [1.],
           [1.]])
    """
    check_floating("weights", array)
    placed = np.take(array, _indices(mapping), axis=axis)
    shares = np.asarray(shares).astype(array.dtype)
    placed *= np.expand_dims(shares, tuple(range(1, array.ndim - axis % array.ndim)))
    return placed


def add_noise(array, new, noise, rng, axis=-1):
    """Disturb the entries of `array` that `new` (a bool for each entry of `axis`) marks as copies.

    Each weight w of a copy becomes ``w * (1 + noise * e)`` with a standard normal e; all other weights stay.
    """
    array = np.moveaxis(array.copy(), axis, -1)
    copies = array[..., new]
    array[..., new] = copies * (1 + noise * rng.standard_normal(copies.shape))
    return np.moveaxis(array, -1, axis)


def pad_random(array, new, rng, axis=-1):
    """Put normal draws of standard deviation `PAD_STDDEV` where `new` marks entries of `axis`: the baseline's way."""
    array = np.moveaxis(array.copy(), axis, -1)
    array[..., new] = rng.normal(0.0, PAD_STDDEV, size=array[..., new].shape)
    return np.moveaxis(array, -1, axis)


# Wider


def wider2net_fc(w1, b1, w2, new_width, init="net2wider", *, mapping=None, split="equal", noise=0.0, rng=None):
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
    split : {"equal", "random"}
        How the copies share the outgoing weight; see `copy_shares`.
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
    >>> u1, c1, u2 = wider2net_fc(w1, b1, w2, 3, mapping=[0, 1, 1])
    >>> u1, c1
    (array([[ 1., -2., -2.]]), array([0.5, 3. , 3. ]))
    >>> u2.ravel()
    array([4., 3., 3.])

    References
    ----------
    Chen et al. 2016, section 2.3 and algorithm 1. "random" shares are not in the paper.
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


def wider2net_conv2d(w1, b1, w2, new_width, init="net2wider", *, mapping=None, split="equal", noise=0.0, rng=None):
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
    shares = copy_shares(mapping, split, rng) if init == "net2wider" else ~new  # padding divides nothing
    u1, u2 = place_outputs(w1, mapping), place_inputs(w2, mapping, shares)
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


def deeper2net_fc(width, dtype="float32"):
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


def deeper2net_conv2d(teacher_w, kernel_size=None):
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


# Checks, shared with the rooms that build on this one


def check_width(name, value, least):
    """Return `value` as an int, or say that it is none or too small."""
    try:
        value = operator.index(value)
    except TypeError:
        raise Net2NetError(f"{name}: expected an integer, got {value!r}; round it first") from None
    if value < least:
        raise Net2NetError(f"{name}: expected at least {least}, got {value}")
    return value


def check_mapping(mapping, n, q):
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


def check_floating(name, array):
    """Refuse an array of what shares cannot divide and noise cannot disturb."""
    if array.dtype.kind in "biuOSU":
        raise Net2NetError(
            f"{name}: expected floating-point numbers, which shares can divide, got {array.dtype}; "
            "use astype('float32')"
        )


def check_choice(name, value, choices):
    """Refuse a value that is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise Net2NetError(f"{name}: expected {' or '.join(map(repr, choices))}, got {value!r}")


def check_noise(noise):
    """Refuse noise that is not a standard deviation."""
    if not isinstance(noise, numbers.Real) or not 0 <= noise < np.inf:
        raise Net2NetError(f"noise: expected a standard deviation of 0 or more, got {noise!r}")


def _indices(mapping):
    """`mapping` in the integers that NumPy counts with: where they have 32 bits, it takes no wider ones as indices."""
    return np.asarray(mapping).astype(np.intp, casting="same_kind", copy=False)


def generator(seed, name="seed"):
    """A source of draws from a seed, or from what the operating system gives if it is None."""
    return np.random.default_rng(None if seed is None else check_width(name, seed, 0))


def _draws(rng):
    """A source of draws as it is, or made from a seed."""
    return rng if isinstance(rng, np.random.Generator) else generator(rng, "rng")


def warn_if_not_finite(name, array, stacklevel):
    """Say when weights hold NaN or infinity: they are passed on, and what comes of them is not Net2Net's doing."""
    # The least and the largest entry hand on NaN, and cost no array of answers.
    if np.size(array) and not np.isfinite([np.min(array), np.max(array)]).all():
        text = f"{name}: has NaN or infinite weights; they are copied as they are"
        warnings.warn(text, RuntimeWarning, stacklevel=stacklevel)
