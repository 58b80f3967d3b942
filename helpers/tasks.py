"""Tasks: what the networks of the studies learn, as arrays that are ready for training.

All come with libraries or are found by `helpers.data`, so that none needs a network. Each function returns
``(x_train, y_train), (x_test, y_test), source``; `source` says where the data are from, how many examples each part
has, and the checksum that recorded runs are bound to.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from helpers.data import read_mnist

__all__ = ["CHARACTERS", "LENGTH", "code", "diabetes", "digits", "flat_mnist", "mnist", "text"]

#: How many characters `text` knows: those of printable ASCII, and one that stands for all others.
CHARACTERS = 96
#: Characters of an example of `text`.
LENGTH = 64


def mnist():
    """The digits of MNIST, from the source that `helpers.data.load_mnist` takes.

    Returns
    -------
    (x_train, y_train), (x_test, y_test), source
        Images (n, 28, 28, 1), float32 from 0 to 1; ten probabilities (n, 10), 1 for the digit.

    Raises
    ------
    Net2NetError
        As `helpers.data.load_mnist` does.
    """
    arrays, source = read_mnist()
    train, test = (
        (arrays[f"x_{part}"][..., np.newaxis] / np.float32(255), _one_of_ten(arrays[f"y_{part}"]))
        for part in ("train", "test")
    )
    return train, test, source


def flat_mnist():
    """The digits of MNIST, each image as one row of 784 pixels.

    Returns
    -------
    (x_train, y_train), (x_test, y_test), source
        Pixels (n, 784), float32 from 0 to 1; ten probabilities (n, 10), 1 for the digit.

    Raises
    ------
    Net2NetError
        As `helpers.data.load_mnist` does.
    """
    train, test, source = mnist()
    return *((x.reshape(len(x), -1), y) for x, y in (train, test)), source


def digits():
    """The 1,797 digits of 8 x 8 pixels that scikit-learn carries, in an order that is drawn once; 360 are for testing.

    Returns
    -------
    (x_train, y_train), (x_test, y_test), source
        Pixels (n, 64), float32 from 0 to 1; ten probabilities (n, 10), 1 for the digit.

    References
    ----------
    Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _parted((x / 16).astype("float32"), _one_of_ten(y), 360, "handwritten digits carried by scikit-learn")


def diabetes():
    """A regression: how far the diabetes of 442 patients went in a year, from ten measurements; 71 are for testing.

    Returns
    -------
    (x_train, y_train), (x_test, y_test), source
        Measurements (n, 10) and progression (n, 1), float32, each with mean 0 and variance 1 over the training
        examples, so that a loss of 1 is what guessing the mean gives. scikit-learn carries the data.

    References
    ----------
    Efron et al. 2004, Least Angle Regression.
    """
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    parts = _parted(x, y[:, np.newaxis], 71, "diabetes data carried by scikit-learn")
    scales = [(values.mean(axis=0), values.std(axis=0)) for values in parts[0]]
    train, test = (
        tuple(((values - mean) / std).astype("float32") for values, (mean, std) in zip(part, scales, strict=True))
        for part in parts[:2]
    )
    return train, test, parts[2]


def text():
    """English text, character by character: what comes next? It is Python's own reference, `pydoc_data.topics`.

    Returns
    -------
    (x_train, y_train), (x_test, y_test), source
        Codes of 64 characters (n, 64), int32 below `CHARACTERS`, and of those that follow each of them. The last
        tenth of the text is for testing, without what stands word for word in the rest; examples do not overlap, and
        those to train on are in an order drawn once.
    """
    from pydoc_data.topics import topics

    raw = "\n".join(topics[name] for name in sorted(topics)).replace("\n", " ").encode("ascii", "replace")
    codes = np.clip(np.frombuffer(raw, dtype="uint8").astype("int32") - 31, 0, CHARACTERS - 1)
    count = (len(codes) - 1) // LENGTH
    x, y = (codes[start : start + count * LENGTH].reshape(count, LENGTH) for start in (0, 1))
    held = count // 10
    order = np.random.default_rng(0).permutation(count - held)
    seen = {row.tobytes() for row in x[:-held]}
    apart = [row for row in range(count - held, count) if x[row].tobytes() not in seen]
    source = _source("Python's reference, carried by Python", codes, count - held, len(apart))
    return (x[order], y[order]), (x[apart], y[apart]), source


def code():
    """Keras' own source, character by character: 10 million of them, about 2 % each to choose by and to test on.

    It is the same for all readers who have the same version of Keras, which recorded runs are bound to anyway, while
    Python's standard library differs between the versions of Python that the book runs on.

    Returns
    -------
    train, validation, test, source
        Codes below `CHARACTERS`, uint8, one after the other; files are whole in one of the three parts. The last code
        stands for what is not printable ASCII, almost always the end of a line.
    """
    folder = Path(find_spec("keras").submodule_search_locations[0], "src")
    parts = [[], [], []]
    for number, path in enumerate(sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix())):
        read = np.frombuffer(path.read_bytes().replace(b"\r\n", b"\n"), dtype="uint8")
        parts[{0: 1, 25: 2}.get(number % 50, 0)].append(np.where((read < 32) | (read > 126), 127, read) - 32)
    train, validation, test = (np.concatenate(part).astype("uint8") for part in parts)
    whole = np.concatenate([train, validation, test])
    return train, validation, test, _source("the source of Keras, carried by it", whole, len(train), len(test))


def _one_of_ten(labels):
    return np.eye(10)[labels]


def _parted(x, y, held, words):
    """Training and test examples, in an order that is drawn once, and the source."""
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    source = _source(words, np.concatenate([x, y], axis=1), len(x) - held, held)
    return (x[:-held], y[:-held]), (x[-held:], y[-held:]), source


def _source(words, values, train, test):
    checksum = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    return {"source": words, "train": train, "test": test, "sha256": checksum}
