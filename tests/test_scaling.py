"""The benchmark whose results the book tells: it runs, and what is recorded is its own."""

import json
import sys

import pytest
import scaling

from helpers.experiments import load_results


@pytest.fixture
def quick(monkeypatch):
    """Sizes are measured in this process, in an instant."""
    monkeypatch.setattr(scaling, "in_a_fresh_process", scaling.measure)
    monkeypatch.setattr(scaling, "ENOUGH", 0.01)
    monkeypatch.setattr(scaling, "REPEATS", 1)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is Linux' own record")
def test_small_sizes_are_measured_and_recorded(quick, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["scaling.py", "--largest", "5000", "--out", str(tmp_path)])
    scaling.main()
    frame = load_results("scaling", tmp_path)
    sizes = frame.groupby("family", sort=False)["size"].unique()
    assert {family: found.tolist() for family, found in sizes.items()} == {
        "dense": [1],
        "convolutional": [1, 2],  # (4, 8, 16) channels, and (8, 16, 32) would be more than 5,000
        "Transformer": [1],
    }
    assert (frame[["widen", "floor", "update", "teacher_update"]] > 0).all(axis=None)
    assert (frame["parameters"] > frame["teacher_parameters"]).all()
    assert ["convolutional", "1,122"] in [line.split()[:2] for line in capsys.readouterr().out.splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is Linux' own record")
def test_a_fresh_process_shows_the_peak_of_memory():
    """Here, where other tests have held more before, there would be none."""
    row = scaling.in_a_fresh_process("dense", 64)
    assert row["peak_bytes"] > 4 * (row["parameters"] + row["teacher_parameters"])


def test_a_family_ends_where_memory_would(quick, monkeypatch):
    """All is measured there but the updates, whose times do not matter."""
    monkeypatch.setattr(scaling, "MEMORY", 1e6)
    monkeypatch.setattr(scaling, "REPEATS", 2)
    monkeypatch.setattr(scaling, "an_update", lambda *_: 0.001)
    sizes = list(scaling.sizes("convolutional", 1e9))
    assert [[row["repeat"] for row in rows] for rows in sizes] == [[0, 1]] * len(sizes)
    found = [rows[0]["parameters"] for rows in sizes]
    assert 4 * 5.5 * found[-1] < 1e6 < 4 * 5.5 * 4 * found[-1]


def test_recorded_results_fit_the_benchmark():
    """What the book tells was measured by the benchmark as it stands, every size of it, up to where memory ends."""
    frame = load_results("scaling")
    assert frame.attrs["definition"] == json.loads(json.dumps(scaling.definition()))
    assert frame.attrs["command"] == "python benchmarks/scaling.py"
    repeats = frame.groupby(["family", "size"], sort=False)["repeat"]
    assert (repeats.agg(list).map(lambda found: found == list(range(scaling.REPEATS)))).all()
    for family, rows in frame.groupby("family", sort=False):
        sizes = rows["size"].unique()
        assert sizes.tolist() == [2**n for n in range(len(sizes))], family
        parameters, update = rows["parameters"].max(), rows.loc[rows["size"] == sizes[-1], "update"].max()
        assert parameters > 1e7, family  # more than any network that the other studies train
        assert 4 * scaling.HELD * 4 * parameters > 15e9 or 4 * update > scaling.SLOWEST, family
