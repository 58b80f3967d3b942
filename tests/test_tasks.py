"""The tasks of the studies: whole, apart, and the same every time."""

import numpy as np
import pytest

from helpers import data, tasks

ALL = [tasks.mnist, tasks.flat_mnist, tasks.digits, tasks.diabetes, tasks.text]


@pytest.mark.parametrize("task", ALL)
def test_a_task_is_the_same_every_time_and_says_what_it_is(task):
    (train, test, source), again = task(), task()
    for part, same in zip((*train, *test), (*again[0], *again[1]), strict=True):
        np.testing.assert_array_equal(part, same)
    assert again[2] == source
    assert (len(train[0]), len(test[0])) == (len(train[1]), len(test[1])) == (source["train"], source["test"])
    assert len(source["sha256"]) == 64


@pytest.mark.parametrize("task", [tasks.digits, tasks.diabetes, tasks.text])
def test_no_example_is_in_both_parts(task):
    (x, _), (x_test, _), _ = task()
    seen = {row.tobytes() for row in x}
    assert len(seen) > 0.95 * len(x)
    assert not seen & {row.tobytes() for row in x_test}


def test_mnist_is_what_load_mnist_gives():
    ((x, y), _, source), ((images, labels), _) = tasks.mnist(), data.load_mnist()
    np.testing.assert_array_equal(x, images)
    np.testing.assert_array_equal(y.argmax(axis=1), labels)
    assert (y.sum(axis=1) == 1).all()
    assert source["train"] == len(images)
    if source["sha256"] == data.MNIST_SHA256:
        assert (source["train"], source["test"]) == (60_000, 10_000)  # on which the recorded studies were made


def test_flat_mnist_has_the_same_pixels_in_rows():
    parts, images = tasks.flat_mnist(), tasks.mnist()
    for (x, y), (x_images, y_images) in zip(parts[:2], images[:2], strict=True):
        np.testing.assert_array_equal(x, x_images.reshape(-1, 784))
        np.testing.assert_array_equal(y, y_images)
    assert parts[2] == images[2]


def test_digits_are_whole_and_each_has_its_label():
    from sklearn.datasets import load_digits

    (x, y), (x_test, y_test), _ = tasks.digits()
    images, labels = load_digits(return_X_y=True)
    found = {(16 * row).astype(int).tobytes(): label for row, label in zip(images / 16, labels, strict=True)}
    for row, label in zip((*x, *x_test), (*y, *y_test), strict=True):
        assert found[(16 * row).astype(int).tobytes()] == label.argmax()
    assert (x.min(), x.max()) == (0, 1)


def test_diabetes_is_scaled_by_the_training_part_alone():
    (x, y), (x_test, y_test), _ = tasks.diabetes()
    for values in (x, y):
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-5)
    assert abs(x_test.mean(axis=0)).max() > 0.01
    assert abs(y_test.mean()) > 0.001


def test_text_asks_for_each_next_character():
    (x, y), (x_test, y_test), _ = tasks.text()
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
    assert x.shape[1] == y.shape[1] == tasks.LENGTH
    # Test examples stand as in the text, where one ends as the next begins; each Python carries another text, and what
    # stands in the rest word for word is left out.
    assert (y_test[:-1, -1] == x_test[1:, 0]).mean() > 0.98
    read = "".join(chr(code + 31) for code in x_test.ravel())
    assert " the " in read
    assert min(x.min(), x_test.min()) >= 0
    assert max(x.max(), x_test.max()) < tasks.CHARACTERS


def test_code_is_whole_files_of_keras_in_three_parts():
    train, validation, test, source = tasks.code()
    assert tasks.code()[3] == source
    assert (len(train), len(test)) == (source["train"], source["test"])
    assert len(train) > 25 * max(len(validation), len(test))
    assert min(len(validation), len(test)) > 100_000
    read = ["".join(chr(code + 32) for code in part) for part in (train, validation, test)]
    for part, text in zip((train, validation, test), read, strict=True):
        assert (part.dtype, part.max()) == ("uint8", tasks.CHARACTERS - 1)
        assert "def " in text
        assert "    return " in text
    # What is chosen by, and what is tested on, was not trained on, but for what Keras' files have in common.
    for text in read[1:]:
        pieces = [text[start : start + 200] for start in range(0, len(text) - 200, 5000)]
        assert sum(piece in read[0] for piece in pieces) < 0.2 * len(pieces)
