"""The mathematics against an oracle: a forward pass in plain NumPy, which knows nothing of Keras or of `helpers`."""

import doctest
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

import helpers
from helpers import placing
from helpers import weights as w
from helpers.checks import Net2NetError

EXACT = {"float64": 1e-12, "float32": 1e-5, "float16": 2e-2}  # of the largest output


# The oracle


def convolve(x, kernel, stride=1):
    """Keras' convolution with padding 'valid': x (batch, *positions, in), kernel (*sides, in, out)."""
    rank = kernel.ndim - 2
    windows = sliding_window_view(x, kernel.shape[:-2], axis=tuple(range(1, rank + 1)))
    windows = windows[(slice(None), *[slice(None, None, stride)] * rank)]
    in_and_sides = tuple(range(rank + 1, 2 * rank + 2))
    return np.tensordot(windows, kernel, axes=(in_and_sides, (rank, *range(rank))))


def layer(x, kernel, bias, stride=1):
    if kernel.ndim == 2:
        y = x.reshape(len(x), -1) @ kernel  # behind a Flatten, or dense already
    else:
        y = convolve(x, kernel, stride)
    return y if bias is None else y + bias


def network(x, w1, b1, w2, stride=1):
    """Layer, leaky relu, next layer; in the dtype of the weights, but summed up in float64."""
    h = layer(x, *(a if a is None else a.astype("float64") for a in (w1, b1)), stride)
    return layer(np.maximum(h, 0.1 * h), w2.astype("float64"), None)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_oracle_agrees_with_keras(rank, stride):
    import keras

    rng = np.random.default_rng(rank)
    x, kernel = rng.normal(size=(2, *[7, 6, 5][:rank], 3)), rng.normal(size=(*[3, 2, 1][:rank], 3, 4))
    theirs = keras.ops.convert_to_numpy(keras.ops.conv(x, kernel, strides=stride, data_format="channels_last"))
    np.testing.assert_allclose(convolve(x, kernel, stride), theirs, atol=1e-12)
    flat = keras.ops.convert_to_numpy(keras.layers.Flatten(dtype="float64")(theirs))
    np.testing.assert_array_equal(theirs.reshape(2, -1), flat)  # so a dense kernel counts channels fastest


# Layers of every kind, drawn


class Case:
    """A layer with what follows it, an input for the two, and arguments for `wider2net_*`."""

    def __init__(self, rank, behind, sides, n_in, n, q, n_out, bias, dtype, stride, seed):
        rng = np.random.default_rng(seed)

        def normal(*shape):
            return rng.normal(size=shape).astype(dtype)

        self.rank, self.n, self.q, self.stride = rank, n, q, stride
        self.w1 = normal(*sides, n_in, n)
        self.b1 = normal(n) if bias else None
        positions = [side + 3 for side in sides]
        self.x = normal(8, *positions, n_in)
        left = [(p - side) // stride + 1 for p, side in zip(positions, sides, strict=True)]
        if behind == "convolution" and rank:
            self.w2 = normal(*[min(2, p) for p in left], n, n_out)
        else:
            self.w2 = normal(int(np.prod(left)) * n, n_out)
        self.wider = w.wider2net_conv2d if rank else w.wider2net_fc

    @property
    def arrays(self):
        return self.w1, self.b1, self.w2

    def check_same_function(self, arrays):
        before = network(self.x, *self.arrays, self.stride)
        after = network(self.x, *arrays, self.stride)
        size = np.abs(before).max()
        assume(size > 1e-3)
        assert np.abs(after - before).max() <= EXACT[str(self.w1.dtype)] * size


@st.composite
def cases(draw, dtypes=("float64", "float32"), ranks=(0, 1, 2, 3)):
    rank = draw(st.sampled_from(ranks))
    n = draw(st.integers(1, 6))
    return Case(
        rank,
        behind=draw(st.sampled_from(["convolution", "flatten"])),
        sides=[draw(st.integers(1, 3)) for _ in range(rank)],
        n_in=draw(st.integers(1, 4)),
        n=n,
        q=n + draw(st.integers(1, 9)),
        n_out=draw(st.integers(1, 4)),
        bias=draw(st.booleans()),
        dtype=draw(st.sampled_from(dtypes)),
        stride=draw(st.integers(1, 2)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


seeds = st.integers(0, 2**32 - 1)
splits = st.sampled_from(w.SHARED)
all_splits = st.sampled_from(w.SPLITS)


@given(cases(), all_splits, seeds)
def test_wider_keeps_the_function(case, split, seed):
    u1, c1, u2 = case.wider(*case.arrays, case.q, split=split, rng=seed)
    case.check_same_function((u1, c1, u2))
    assert u1.shape == (*case.w1.shape[:-1], case.q)
    assert (c1 is None) == (case.b1 is None)
    assert c1 is None or c1.shape == (case.q,)
    if case.w2.ndim == 2:
        assert u2.shape == (len(case.w2) // case.n * case.q, case.w2.shape[1])
    else:
        assert u2.shape == (*case.w2.shape[:-2], case.q, case.w2.shape[-1])


@given(cases(), all_splits, st.data())
def test_wider_keeps_the_function_under_any_mapping(case, split, data):
    copies = data.draw(st.lists(st.integers(0, case.n - 1), min_size=case.q - case.n, max_size=case.q - case.n))
    mapping = [*range(case.n), *copies]
    u1, c1, u2 = case.wider(*case.arrays, case.q, mapping=mapping, split=split, rng=0)
    case.check_same_function((u1, c1, u2))
    np.testing.assert_array_equal(u1, case.w1[..., mapping])
    if case.b1 is not None:
        np.testing.assert_array_equal(c1, case.b1[mapping])


@given(cases(), all_splits, seeds)
def test_twice_wider_keeps_the_function(case, split, seed):
    once = case.wider(*case.arrays, case.q, split=split, rng=seed)
    case.check_same_function(case.wider(*once, case.q + 3, split=split, rng=seed))


@given(cases(dtypes=("float16", "float32", "float64")), all_splits, st.sampled_from([0.0, 0.5]), seeds)
def test_inputs_stay_and_dtypes_are_kept(case, split, noise, seed):
    for init in w.INITS:
        given_ = [a for a in case.arrays if a is not None]
        before = [a.tobytes() for a in given_]
        results = case.wider(*case.arrays, case.q, init, split=split, noise=noise, rng=seed)
        assert [a.tobytes() for a in given_] == before
        for array, result in zip(case.arrays, results, strict=True):
            if array is not None:
                assert result.dtype == array.dtype
                assert result.flags.writeable
                assert not any(np.shares_memory(result, a) for a in given_)


@given(cases(dtypes=("float16",)), all_splits, seeds)
def test_wider_in_half_precision(case, split, seed):
    case.check_same_function(case.wider(*case.arrays, case.q, split=split, rng=seed))


@given(cases(dtypes=("float32",)), splits, seeds, st.sampled_from(w.INITS))
def test_a_seed_fixes_every_draw(case, split, seed, init):
    def run(rng):
        arrays = case.wider(*case.arrays, case.q, init, split=split, noise=0.1, rng=rng)
        return [None if a is None else a.tobytes() for a in arrays]

    assert run(seed) == run(seed) == run(np.random.default_rng(seed))


@pytest.mark.parametrize(("rng", "told"), [(-1, "at least 0, got -1"), ("a", "an integer, got 'a'")])
def test_what_gives_no_draws_is_refused(rng, told):
    for draw in (
        lambda: w.random_mapping(2, 4, rng),
        lambda: w.balanced_mapping(2, 4, rng),
        lambda: w.copy_shares([0, 1, 0], "random", rng),
        lambda: w.wider2net_fc(np.eye(2), None, np.eye(2), 4, rng=rng),
    ):
        with pytest.raises(Net2NetError, match=f"rng: expected {told}"):
            draw()


def test_another_seed_draws_anew_and_so_does_none():
    w1, b1, w2 = np.eye(20), np.arange(20.0), np.eye(20)
    for split in ("equal", "random"):
        runs = [w.wider2net_fc(w1, b1, w2, 40, split=split, rng=rng)[2].tobytes() for rng in (0, 1, None, None)]
        assert len(set(runs)) == 4
    rng = np.random.default_rng(0)
    assert w.random_mapping(20, 40, rng).tolist() != w.random_mapping(20, 40, rng).tolist()


def test_lists_and_float_zero_noise_are_taken():
    how = {"mapping": (0, 1, 1), "split": "equal", "noise": 0}
    u1, c1, u2 = w.wider2net_fc([[1.0, 2.0]], [0.0, 1.0], [[1.0], [4.0]], np.int64(3), **how)
    assert (u1.tolist(), c1.tolist(), u2.tolist()) == ([[1, 2, 2]], [0, 1, 1], [[1], [2], [2]])


def test_pencil_and_paper():
    # Two units become four: unit 0 is copied twice. Each weight below can be followed by hand.
    w1, b1 = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -0.5])
    w2 = np.array([[3.0, 6.0], [5.0, 7.0]])
    u1, c1, u2 = w.wider2net_fc(w1, b1, w2, 4, mapping=[0, 1, 0, 0], split="equal")
    np.testing.assert_array_equal(u1, [[1, 2, 1, 1], [3, 4, 3, 3]])
    np.testing.assert_array_equal(c1, [0.5, -0.5, 0.5, 0.5])
    np.testing.assert_array_equal(u2, [[1, 2], [5, 7], [1, 2], [1, 2]])


def test_flatten_counts_channels_fastest():
    w1, w2 = np.ones((1, 1, 2)), np.arange(1.0, 7).reshape(6, 1)  # 3 positions of 2 channels
    *_, u2 = w.wider2net_conv2d(w1, None, w2, 3, mapping=[0, 1, 1], split="equal")
    np.testing.assert_array_equal(u2.ravel(), [1, 1, 1, 3, 2, 2, 5, 3, 3])


# Mappings and shares


@given(st.integers(1, 30), st.integers(0, 60), seeds)
def test_random_mapping(n, more, seed):
    mapping = w.random_mapping(n, n + more, seed)
    assert mapping.shape == (n + more,)
    assert np.issubdtype(mapping.dtype, np.integer)
    assert mapping[:n].tolist() == list(range(n))
    assert set(mapping.tolist()) == set(range(n))
    np.testing.assert_array_equal(mapping, w.random_mapping(n, n + more, seed))


def test_random_mapping_is_uniform():
    drawn = np.bincount(w.random_mapping(10, 100_010, 0)[10:], minlength=10)
    assert np.abs(drawn - 10_000).max() < 500  # five standard deviations


@given(st.integers(1, 20), st.integers(1, 6), seeds)
def test_balanced_mapping(n, times, seed):
    mapping = w.balanced_mapping(n, n * times, seed)
    assert mapping[:n].tolist() == list(range(n))
    assert w.replication_counts(mapping).tolist() == [times] * n
    np.testing.assert_array_equal(mapping, w.balanced_mapping(n, n * times, seed))


def test_balanced_mapping_draws_the_order():
    assert len({w.balanced_mapping(8, 16, seed).tobytes() for seed in range(5)}) == 5


@given(st.integers(1, 20), st.integers(0, 40), splits, seeds)
def test_counts_and_shares(n, more, split, seed):
    mapping = w.random_mapping(n, n + more, seed)
    counts = w.replication_counts(mapping)
    assert counts.tolist() == [mapping.tolist().count(unit) for unit in range(n)]
    shares = w.copy_shares(mapping, split, seed)
    assert shares.dtype == np.float64
    assert shares.min() > 0
    np.testing.assert_allclose(np.bincount(mapping, weights=shares), np.ones(n), rtol=1e-14)
    np.testing.assert_array_equal(shares, w.copy_shares(mapping, split, seed))
    if split == "equal":
        np.testing.assert_array_equal(shares, 1 / counts[mapping])


def test_random_shares_part_the_copies():
    shares = w.copy_shares([0, 1, 0, 1, 0], "random", 0)
    assert len(set(shares.tolist())) == 5
    assert shares.min() > 0.05  # no copy starts cut off: 0.2 / (0.2 + 1 + 1) at the least
    many = w.copy_shares(np.zeros(1000, int), "random", 0)
    assert 4.5 < many.max() / many.min() < 5  # shares as 0.2 to 1


def test_random_split_puts_the_shares_into_the_next_kernel():
    mapping = [0, 1, 1, 0]
    w2 = np.array([[1.0], [10.0]])
    *_, u2 = w.wider2net_fc(np.ones((1, 2)), None, w2, 4, mapping=mapping, split="random", rng=3)
    shares = u2.ravel() / w2[mapping, 0]
    np.testing.assert_allclose([shares[0] + shares[3], shares[1] + shares[2]], 1)
    assert abs(shares[0] - shares[3]) > 1e-3
    assert abs(shares[1] - shares[2]) > 1e-3


# Noise


@given(cases(dtypes=("float64",)), splits, st.floats(1e-3, 1.0), seeds)
def test_noise_touches_copies_only(case, split, noise, seed):
    quiet = case.wider(*case.arrays, case.q, split=split, rng=seed)
    noisy = case.wider(*case.arrays, case.q, split=split, noise=noise, rng=seed)
    np.testing.assert_array_equal(noisy[0][..., : case.n], case.w1)
    assert (noisy[0][..., case.n :] != quiet[0][..., case.n :]).all()
    for left, right in zip(noisy[1:], quiet[1:], strict=True):  # bias and next kernel are never disturbed
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("noise", [0.01, 0.5])
def test_noise_is_relative_to_the_weight(noise):
    w1 = np.full((500, 40), 1e-4)
    w1[:, ::2] = -1e4
    w1[0] = 0
    u1, _, _ = w.wider2net_fc(w1, None, np.eye(40), 80, noise=noise, rng=0)
    mapping = w.random_mapping(40, 80, 0)
    np.testing.assert_array_equal(u1[0], 0)
    e = (u1[1:, 40:] / w1[1:, mapping[40:]] - 1) / noise
    assert abs(e.mean()) < 0.05
    assert abs(e.std() - 1) < 0.05
    assert np.abs(e).max() > 3  # normal draws, not uniform ones


# Padding


def test_randompad_statistics_and_originals():
    rng = np.random.default_rng(0)
    w1, b1, w2 = rng.normal(size=(3, 3, 16, 20)), rng.normal(size=20), rng.normal(size=(3, 3, 20, 16))
    u1, c1, u2 = w.wider2net_conv2d(w1, b1, w2, 60, "randompad", rng=1)
    np.testing.assert_array_equal(u1[..., :20], w1)
    np.testing.assert_array_equal(c1[:20], b1)
    np.testing.assert_array_equal(u2[..., :20, :], w2)
    np.testing.assert_array_equal(c1[20:], 0.1)
    for new in (u1[..., 20:], u2[..., 20:, :]):
        assert abs(new.std() - 0.1) < 0.005
        assert abs(new.mean()) < 0.005
        assert np.abs(new).max() > 0.3  # not cut off
        assert len(np.unique(new)) == new.size  # nothing is a copy
    assert not np.isin(u1[..., 20:], u2[..., 20:, :]).any()


@given(cases(ranks=(1, 2)), seeds)
def test_randompad_behind_anything(case, seed):
    u1, _, u2 = case.wider(*case.arrays, case.q, "randompad", rng=seed)
    np.testing.assert_array_equal(u1[..., : case.n], case.w1)
    shape = (-1, case.n, case.w2.shape[-1]) if case.w2.ndim == 2 else case.w2.shape
    wide = u2.reshape(-1, case.q, u2.shape[-1]) if case.w2.ndim == 2 else u2
    np.testing.assert_array_equal(wide[..., : case.n, :], case.w2.reshape(shape))


@given(cases(), seeds)
def test_zeropad_differs_from_randompad_in_outgoing_weights_alone_and_keeps_the_function(case, seed):
    u1, c1, u2 = case.wider(*case.arrays, case.q, "zeropad", rng=seed)
    v1, d1, v2 = case.wider(*case.arrays, case.q, "randompad", rng=seed)
    np.testing.assert_array_equal(u1, v1)
    if c1 is not None:
        np.testing.assert_array_equal(c1, d1)
    shape = (-1, case.q, u2.shape[-1]) if case.w2.ndim == 2 else u2.shape
    wide, padded = u2.reshape(shape), v2.reshape(shape)
    np.testing.assert_array_equal(wide[..., : case.n, :], padded[..., : case.n, :])
    assert not wide[..., case.n :, :].any()
    case.check_same_function((u1, c1, u2))


# Deeper


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_identity_dense(dtype):
    kernel, bias = w.deeper2net_fc(5, dtype)
    assert kernel.dtype == bias.dtype == dtype
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(dtype)
    np.testing.assert_array_equal(x @ kernel + bias, x)


def all_sides(rank):
    return np.stack(np.meshgrid(*[range(1, 6)] * rank), axis=-1).reshape(-1, rank).tolist()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_identity_convolution_of_every_size(rank):
    import keras

    rng = np.random.default_rng(0)
    # Sides of the input both shorter and longer than the kernel's.
    x = rng.normal(size=(2, *[7, 4, 3][:rank], 2)).astype("float32")
    for sides in all_sides(rank):
        kernel, bias = w.deeper2net_conv2d(np.zeros((*[3] * rank, 1, 2), "float32"), sides)
        assert kernel.shape == (*sides, 2, 2)
        assert kernel.dtype == bias.dtype == np.float32
        assert not bias.any()
        y = keras.ops.conv(x, kernel, padding="same", data_format="channels_last")
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(y), x, err_msg=str(sides))


@pytest.mark.parametrize("sides", [(3,), (2, 5), (4, 4), (1, 2, 3)])
def test_identity_convolution_of_the_teachers_size(sides):
    kernel, _ = w.deeper2net_conv2d(np.ones((*sides, 3, 4), "float16"))
    assert kernel.shape == (*sides, 4, 4)
    assert kernel.dtype == np.float16
    assert kernel.sum() == 4
    assert w.deeper2net_conv2d(np.ones((*sides, 3, 4)), 2)[0].shape == (*[2] * len(sides), 4, 4)


# Not finite


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_nan_and_infinity_pass_with_a_warning(bad, where):
    arrays = [np.ones((2, 3)), np.ones(3), np.ones((3, 2))]
    arrays[where].flat[0] = bad
    name = ["w1", "b1", "w2"][where]
    with pytest.warns(RuntimeWarning, match=f"{name}: has NaN or infinite weights; they are copied") as caught:
        results = w.wider2net_fc(*arrays, 5, mapping=[0, 1, 2, 1, 2])
    assert caught[0].filename == __file__  # it points to the caller's line
    np.testing.assert_array_equal(results[where].flat[0], bad)
    assert sum((~np.isfinite(array)).sum() for array in results) == 1, "noise that cancels has the size of the others"


def test_no_warning_otherwise():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w.wider2net_fc(np.ones((2, 3)), None, np.ones((3, 2)), 5)
        w.wider2net_fc(np.ones((0, 3)), None, np.ones((3, 0)), 5)  # no weight at all


# Errors: each is read


W1, B1, W2 = np.ones((4, 3)), np.ones(3), np.ones((3, 2))
K1, K2 = np.ones((3, 3, 1, 4)), np.ones((3, 3, 4, 2))
ERRORS = {
    "width_equal": (
        lambda: w.wider2net_fc(W1, B1, W2, 3),
        "new_width: expected more than the 3 units that w1 .* has, got 3",
    ),
    "width_smaller": (
        lambda: w.wider2net_fc(W1, B1, W2, 2),
        "new_width: expected more than the 3 units that w1 .* has, got 2",
    ),
    "width_one": (lambda: w.wider2net_fc(W1[:, :1], None, W2[:1], 1), "new_width: expected more than the 1 units"),
    "width_float": (lambda: w.wider2net_fc(W1, B1, W2, 6.0), "new_width: expected an integer, got 6.0; round it"),
    "width_text": (lambda: w.wider2net_fc(W1, B1, W2, "6"), "new_width: expected an integer, got '6'"),
    "init": (
        lambda: w.wider2net_fc(W1, B1, W2, 6, "zeros"),
        "init: expected 'net2wider' or 'zeropad' or 'randompad', got 'zeros'",
    ),
    "split": (
        lambda: w.wider2net_fc(W1, B1, W2, 6, split="half"),
        "split: expected 'equal' or 'random' or 'weights' or 'noise', got 'half'",
    ),
    "noise": (
        lambda: w.wider2net_fc(W1, B1, W2, 6, noise=-0.1),
        "noise: expected a standard deviation of 0 or more, got",
    ),
    "noise_nan": (lambda: w.wider2net_fc(W1, B1, W2, 6, noise=np.nan), "noise: expected a standard deviation"),
    "noise_inf": (lambda: w.wider2net_fc(W1, B1, W2, 6, noise=np.inf), "noise: expected a standard deviation"),
    "w1_rank": (
        lambda: w.wider2net_fc(K1, B1, W2, 6),
        r"w1: expected a dense kernel .* got \(3, 3, 1, 4\); see wider2net_conv2d",
    ),
    "w1_vector": (
        lambda: w.wider2net_fc(B1, B1, W2, 6),
        r"w1: expected a dense kernel of shape \(in, out\), got \(3,\)",
    ),
    "w2_rows": (
        lambda: w.wider2net_fc(W1, B1, np.ones((5, 2)), 6),
        r"w2: expected a dense kernel .*\(3, out\) behind w1 \(4, 3\), got \(5, 2\); its rows must be w1's columns$",
    ),
    "w2_rank": (lambda: w.wider2net_fc(W1, B1, K2, 6), r"w2: expected a dense kernel .* got \(3, 3, 4, 2\)"),
    "b1": (
        lambda: w.wider2net_fc(W1, np.ones(4), W2, 6),
        r"b1: expected shape \(3,\) for w1 \(4, 3\), or None, got \(4,\)",
    ),
    "conv_w1": (
        lambda: w.wider2net_conv2d(W1, B1, W2, 6),
        r"w1: expected a convolution kernel .* got \(4, 3\); see wider2net_fc",
    ),
    "conv_w2": (
        lambda: w.wider2net_conv2d(K1, None, np.ones((3, 3, 5, 2)), 6),
        r"w2: expected a kernel of shape \(..., 4, out\), or \(positions \* 4, out\) .* after w1 \(3, "
        r"3, 1, 4\), got \(3, 3, 5, 2\)",
    ),
    "conv_flatten": (lambda: w.wider2net_conv2d(K1, None, np.ones((10, 2)), 6), r"w2: expected .* got \(10, 2\)"),
    "conv_w2_vector": (lambda: w.wider2net_conv2d(K1, None, np.ones(8), 6), r"w2: expected .* got \(8,\)"),
    "conv_width": (
        lambda: w.wider2net_conv2d(K1, None, K2, 4),
        "new_width: expected more than the 4 units that w1 .* has, got 4",
    ),
    "mapping_start": (
        lambda: w.wider2net_fc(W1, B1, W2, 4, mapping=[1, 0, 2, 2]),
        r"mapping: expected it to begin with 0..2, got \[1 0 2\]",
    ),
    "mapping_high": (
        lambda: w.wider2net_fc(W1, B1, W2, 4, mapping=[0, 1, 2, 3]),
        "mapping: expected values from 0 to 2",
    ),
    "mapping_low": (
        lambda: w.wider2net_fc(W1, B1, W2, 4, mapping=[0, 1, 2, -1]),
        "mapping: expected values from 0 to 2",
    ),
    "mapping_length": (
        lambda: w.wider2net_fc(W1, B1, W2, 4, mapping=[0, 1, 2]),
        r"mapping: expected 4 integers, one for each student unit, got shape \(3,\)",
    ),
    "mapping_float": (
        lambda: w.wider2net_fc(W1, B1, W2, 4, mapping=[0, 1, 2, 0.0]),
        "mapping: expected 4 integers, .* of float64",
    ),
    "random_n": (lambda: w.random_mapping(0, 3), "n: expected at least 1, got 0"),
    "random_q": (lambda: w.random_mapping(4, 3), "q: expected a width of at least n = 4, got 3"),
    "random_float": (lambda: w.random_mapping(2, 3.5), "q: expected an integer, got 3.5"),
    "balanced": (lambda: w.balanced_mapping(4, 6), "q: expected a multiple of n = 4, .*, got 6"),
    "balanced_n": (lambda: w.balanced_mapping(0, 6), "^n: expected at least 1, got 0"),
    "balanced_zero": (lambda: w.balanced_mapping(4, 0), "q: expected at least 1, got 0"),
    "counts_gap": (
        lambda: w.replication_counts([0, 2]),
        r"mapping: expected every unit from 0 to 2 at least once, got \[0 2\]",
    ),
    "counts_negative": (lambda: w.replication_counts([0, -1]), "mapping: expected every unit from 0"),
    "counts_empty": (lambda: w.replication_counts([]), r"mapping: expected a row of integers, got shape \(0,\)"),
    "counts_float": (lambda: w.replication_counts([0.0, 1.0]), "mapping: expected a row of integers, .* of float64"),
    "counts_table": (
        lambda: w.replication_counts([[0, 1]]),
        r"mapping: expected a row of integers, got shape \(1, 2\)",
    ),
    "shares_split": (
        lambda: w.copy_shares([0, 0], None),
        "split: expected 'equal' or 'random', got None",
    ),
    "shares_mapping": (lambda: w.copy_shares([1, 1]), "mapping: expected every unit from 0 to 1"),
    "fc_width": (lambda: w.deeper2net_fc(0), "width: expected at least 1, got 0"),
    "fc_float": (lambda: w.deeper2net_fc(2.5), "width: expected an integer, got 2.5"),
    "deeper_dense": (
        lambda: w.deeper2net_conv2d(W1),
        r"teacher_w: expected a convolution kernel .* got \(4, 3\); see deeper2net_fc",
    ),
    "deeper_sides": (
        lambda: w.deeper2net_conv2d(K1, (3, 3, 3)),
        r"kernel_size: expected one integer or 2 for a teacher kernel \(3, 3, 1, 4\), got \(3, 3, 3\)",
    ),
    "deeper_zero": (lambda: w.deeper2net_conv2d(K1, (3, 0)), "kernel_size: expected at least 1, got 0"),
    "deeper_float": (lambda: w.deeper2net_conv2d(K1, 3.0), "kernel_size: expected an integer, got 3.0"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_was_expected_and_what_came(name):
    call, message = ERRORS[name]
    with pytest.raises(Net2NetError, match=message):
        call()
    assert issubclass(Net2NetError, ValueError)


# Shares of each weight, and noise that cancels


def test_how_much_the_gradients_of_copies_part():
    """For a unit with two copies, by the angle between their incoming gradients: V' delta is what they multiply."""
    rng = np.random.default_rng(0)
    w2, delta = rng.normal(size=(1, 500)), rng.normal(size=(300, 500))
    cosine = {}
    for split in w.SPLITS:
        copies = w.wider2net_fc(np.ones((2, 1)), None, w2, 2, split=split, rng=0)[2] @ delta.T
        cosine[split] = copies[0] @ copies[1] / np.prod(np.linalg.norm(copies, axis=1))
    assert cosine["equal"] == pytest.approx(1)
    assert cosine["random"] == pytest.approx(1)
    assert 0.8 < cosine["weights"] < 0.97
    assert cosine["noise"] == pytest.approx(1 / 3, abs=0.1)


def test_shares_of_weights_are_positive_and_noise_has_the_weights_size():
    w1, w2 = np.ones((2, 40)), np.random.default_rng(0).normal(0, 3, size=(40, 50))
    mapping = [*range(40), *range(40), *range(40)]
    parts = {split: w.wider2net_fc(w1, None, w2, 120, mapping=mapping, split=split, rng=0)[2] for split in w.SPLITS}
    assert (parts["weights"] / w2[mapping] > 0.05).all()
    noise = parts["noise"] - w2[mapping] / 3
    np.testing.assert_allclose(noise.reshape(3, 40, 50).sum(0), 0, atol=1e-13)
    assert np.std(noise) == pytest.approx(np.std(w2) / 3 * np.sqrt(2 / 3), rel=0.05)


def test_noise_of_weights_whose_squares_are_too_large():
    w2 = np.full((2, 3), 1e30, "float32")
    *_, u2 = w.wider2net_fc(np.ones((2, 2), "float32"), None, w2, 4, mapping=[0, 1, 0, 1], rng=0)
    np.testing.assert_allclose(u2.reshape(2, 2, 3).sum(0), w2, rtol=1e-5)
    assert (u2[:2] != u2[2:]).all()


@pytest.mark.parametrize("shape", [(50, 20), (3, 3, 50, 20)])
def test_weights_that_are_all_zero_get_noise_of_a_new_layers_size(shape):
    w1, w2 = np.ones((*shape[:-2], 2, 50)), np.zeros(shape)
    mapping = [*range(50), *range(50)]
    parts = {split: w._wider(w1, None, w2, 100, "net2wider", mapping, split, 0.0, 0)[2] for split in w.SPLITS}
    noise = parts.pop("noise")
    np.testing.assert_allclose(noise[..., :50, :], -noise[..., 50:, :], rtol=0, atol=1e-15)
    # Each copy has half of its own draw, and half of the other's taken away.
    assert np.std(noise) == pytest.approx(np.sqrt(0.5) / 2 / np.sqrt(np.prod(shape[:-1])), rel=0.05)
    assert not any(each.any() for each in parts.values())
    one = w2.copy()
    one[..., 1:, :] = 1.0  # zeros among others get noise as large as theirs
    noise = w._wider(w1, None, one, 100, "net2wider", mapping, "noise", 0.0, 0)[2][..., 0, :]
    assert np.std(noise) == pytest.approx(np.sqrt(0.5) / 2, rel=0.4)


def test_copy_shares_has_one_share_for_each_unit():
    with pytest.raises(Net2NetError, match="split: expected 'equal' or 'random', got 'noise'"):
        w.copy_shares([0, 1, 1], "noise")


# NumPy alone


@pytest.mark.parametrize("room", ["helpers", "helpers.weights", "helpers.data"])
def test_rooms_that_do_not_wait_for_tensorflow(room):
    code = f"import sys, {room}; print(sorted({{'tensorflow', 'keras', 'matplotlib'}} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr


def test_weights_needs_numpy_alone():
    code = (
        "import sys, helpers.weights\n"
        "print(sorted(m for m in sys.modules if m.startswith('helpers')), helpers.random_mapping(2, 3).shape)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "['helpers', 'helpers.checks', 'helpers.placing', 'helpers.weights'] (3,)", (
        run.stdout + run.stderr
    )


@pytest.fixture
def narrow_integers(monkeypatch):
    """NumPy as it is where integers have 32 bits: it counts with those, and takes no wider ones as indices."""
    monkeypatch.setattr(np, "intp", np.int32)

    def refuse_wide(function, place):
        def narrow(*args, **kwargs):
            if not np.can_cast(np.asarray(args[place]).dtype, np.int32):
                raise TypeError("Cannot cast array data to dtype('int32') according to the rule 'safe'")
            return function(*args, **kwargs)

        return narrow

    monkeypatch.setattr(np, "bincount", refuse_wide(np.bincount, 0))
    monkeypatch.setattr(np, "take", refuse_wide(np.take, 1))


def test_integers_of_32_bits_will_do(narrow_integers):
    drawn = w.random_mapping(3, 6, rng=0)
    assert drawn.dtype == np.int64
    for refused in (lambda: np.bincount(drawn), lambda: np.take(np.ones(3), drawn)):
        with pytest.raises(TypeError, match="Cannot cast"):
            refused()
    shares = w.copy_shares(drawn, "random", rng=0)
    np.testing.assert_allclose(np.bincount(drawn.astype(np.int32), weights=shares), 1)
    run = doctest.testmod(w, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert (run.failed, run.attempted > 10) == (0, True)


@pytest.mark.parametrize("mapping", [[0.0, 1.0, 1.9], []])
def test_what_is_no_mapping_places_nothing(mapping):
    with pytest.raises(TypeError, match="Cannot cast"):
        placing.place_outputs(np.ones((2, 2)), mapping)
    with pytest.raises(TypeError, match="Cannot cast"):
        placing.place_inputs(np.ones((2, 2)), mapping, np.ones(3))


def test_public_names():
    names = (
        "Net2NetError random_mapping replication_counts wider2net_fc wider2net_conv2d deeper2net_fc deeper2net_conv2d "
        "net2wider_net net2deeper_net copy_weights function_gap channel_groups load_mnist"
    ).split()
    assert set(names) <= set(dir(helpers)) <= set(helpers.__all__)
    for name in helpers.__all__:
        assert getattr(helpers, name).__doc__
    with pytest.raises(AttributeError, match="module 'helpers' has no attribute 'nonsense'"):
        helpers.nonsense


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "bool"])
def test_integers_cannot_be_divided(dtype):
    w1, w2 = np.ones((2, 3), dtype), np.ones((3, 2), dtype)
    with pytest.raises(Net2NetError, match=f"w1: expected floating-point numbers, .* got {dtype}; use"):
        w.wider2net_fc(w1, None, w2.astype(float), 5, "randompad")
    with pytest.raises(Net2NetError, match=f"b1: expected .* got {dtype}; use"):
        w.wider2net_fc(w1.astype(float), w1[0], w2.astype(float), 5)
    with pytest.raises(Net2NetError, match=f"w2: expected .* got {dtype}; use"):
        w.wider2net_conv2d(np.ones((3, 1, 3)), None, w2, 5)
    with pytest.raises(Net2NetError, match=f"weights: expected .* got {dtype}; use"):
        placing.place_inputs(w2, [0, 1, 2, 2], [1, 1, 0.5, 0.5])
