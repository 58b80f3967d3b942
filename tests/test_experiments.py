"""The runner: every run done once and kept, same rows from the same seed, and clear words when it fails."""

import csv
import dataclasses
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
from test_studies import EXACT

from helpers import data, experiments, tasks
from helpers.checks import Net2NetError
from helpers.experiments import STUDIES, TUNING, load_results, run_study, summarize
from helpers.study import states
from helpers.study.language import LANGUAGE

ROOT = Path(experiments.__file__).resolve().parent.parent
ARTICLE = STUDIES["mnist_article"]
QUICK = ARTICLE.quick()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A small file in MNIST's layout whose classes can be learned: nothing depends on what data is found."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 200), ("test", 100)):
        labels = rng.integers(10, size=n, dtype=np.uint8)
        images = rng.integers(60, size=(n, 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 6] += 150
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def here(digits, monkeypatch):
    """This process reads the small file."""
    monkeypatch.setenv("NET2NET_MNIST", str(digits))


def python(*words, digits):
    environment = os.environ | {"NET2NET_MNIST": str(digits), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, env=environment, capture_output=True, text=True)


def command(*words, digits):
    return python("-m", "helpers.experiments", *words, digits=digits)


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


# ---------------------------------------------------------------- real runs, in the quick form


@pytest.fixture(scope="module")
def recorded(digits, tmp_path_factory):
    """The article's study in its quick form, all arms of one seed."""
    out = tmp_path_factory.mktemp("recorded")
    run = command("run", "mnist_article", "--quick", "--out", out, digits=digits)
    assert run.returncode == 0, run.stderr
    return out


@pytest.mark.slow
def test_every_arm_is_measured_from_before_training_to_the_end(recorded):
    frame = load_results("mnist_article", recorded)
    assert list(frame.columns) == experiments.COLUMNS
    assert frame["arm"].unique().tolist() == ["teacher", *ARTICLE.arms]
    for _, run in frame.groupby("arm"):
        assert run["update"].tolist() == [0, 2]
        assert run["examples"].tolist() == [0, 64]
        assert run["seconds"].is_monotonic_increasing
        assert run["test_accuracy"].isna().tolist() == [True, False]
    assert (frame["lr"] == 0.01).all()


# One arm of each: arms differ in how they begin, and that is compared in `test_studies`. All in one process, and
# eagerly: a few updates take less time than tracing a graph for each arm. What is measured is a single batch, which
# needs no pipeline. What the libraries hold stays, so that the collection of garbage before each run need not look
# through it.
ALL_QUICK = """
import dataclasses
import gc
import json
import sys
import keras
import tensorflow as tf
from helpers.experiments import STUDIES, main

def evaluate(model, x, y, batch_size, verbose, return_dict):
    assert len(x) <= batch_size
    model.reset_metrics()
    return model.test_on_batch(x, y, return_dict=return_dict)

keras.Model.evaluate = evaluate
tf.config.run_functions_eagerly(True)
gc.freeze()
one = json.loads(sys.argv[2])
for name, arm in one.items():
    STUDIES[name] = dataclasses.replace(STUDIES[name], arms={arm: STUDIES[name].arms[arm]})
sys.exit(max(main(["run", name, "--quick", "--out", sys.argv[1]]) for name in one))
"""
ALIKE = {
    name: [arm for arm in study.arms if arm.split()[0] in EXACT]
    for name, study in STUDIES.items()
    if study is not ARTICLE
}
ONE = {name: arms[-1] for name, arms in ALIKE.items()}


@pytest.fixture(scope="module")
def quick_forms(digits, tmp_path_factory):
    """An arm of every study but the article's in its quick form."""
    out = tmp_path_factory.mktemp("quick")
    run = python("-c", ALL_QUICK, out, json.dumps(ONE), digits=digits)
    assert run.returncode == 0, run.stderr
    return out


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE)
def test_every_study_has_a_quick_form_in_which_an_exact_student_starts_as_its_teacher(name, quick_forms):
    frame, study = load_results(name, quick_forms), STUDIES[name]
    assert set(frame["arm"]) == {"teacher", ONE[name]}
    assert len(ALIKE[name]) > 1
    last = frame[frame["arm"] == "teacher"].iloc[-1]
    start = frame[frame["update"] == 0].set_index("arm")["val_loss"]
    assert start[ONE[name]] == pytest.approx(last["val_loss"], abs=5e-6)
    budgets = study.definition().get("budgets", {})
    for (arm,), run in frame.groupby(["arm"]):
        assert run["update"].is_monotonic_increasing
        assert run["update"].is_unique
        epochs = study.teacher_epochs if arm == "teacher" else sum(budgets.get(arm, [1]))
        assert run["update"].iloc[-1] == -(-64 // study.batch_size) * epochs
        assert run["examples"].iloc[-1] == 64 * epochs
        judged = "test_accuracy" if study.goal == "val_accuracy" else "test_loss"
        assert run[judged].notna().tolist() == [False] * (len(run) - 1) + [True]
    assert frame[study.goal].notna().all()
    further = sorted(set(frame.columns) - {*experiments.COLUMNS, "test_loss"})
    assert bool(further) == (study.inspect is not None)
    assert frame[further].notna().all(axis=None)


@pytest.mark.slow
def test_students_start_where_the_teacher_ended(recorded):
    frame = load_results("mnist_article", recorded).set_index(["arm", "update"])
    teacher = frame.loc[("teacher", 2)]
    for arm in EXACT & set(ARTICLE.arms):
        start = frame.loc[(arm, 0)]
        assert start["val_accuracy"] == teacher["val_accuracy"]
        assert start["val_loss"] == pytest.approx(teacher["val_loss"], abs=2e-6)
    for arm in set(ARTICLE.arms) - EXACT:
        assert frame.loc[(arm, 0), "val_loss"] != pytest.approx(teacher["val_loss"], abs=1e-4)


@pytest.mark.slow
def test_same_seed_same_rows_and_only_what_is_missing_is_done(recorded, digits, tmp_path):
    """Two runs are lost; two workers do them again, to the same digits, and leave the others alone."""
    before = rows_of(recorded / "mnist_article.csv")
    folder = recorded / ".runs" / "mnist_article"
    for arm in ("randominit", "net2wider_random"):
        (folder / f"seed0-0.01-constant-{arm}.json").unlink()
    (recorded / "mnist_article.csv").unlink()
    kept = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(kept) == 8  # seven runs and the teacher's model
    run = command("run", "mnist_article", "--quick", "--jobs", 2, "--out", recorded, digits=digits)
    assert run.returncode == 0, run.stderr
    after = rows_of(recorded / "mnist_article.csv")
    for row in (*before, *after):
        del row["seconds"]
    assert after == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list(folder.iterdir())) == 10


@pytest.mark.slow
def test_record_says_what_made_it_and_names_no_machine(recorded, digits, here):
    text = (recorded / "mnist_article.json").read_text()
    record = json.loads(text)
    assert record["command"].startswith("python -m helpers.experiments run mnist_article --seeds 1 --quick")
    assert record["seeds"] == [0]
    assert record["definition"] == json.loads(json.dumps(QUICK.definition()))
    assert set(record["versions"]) == {"python", "keras", "tensorflow", "numpy"}
    (machine,) = record["machines"]
    assert {"cpu", "cores", "threads_per_run"} <= set(machine)
    _, source = data.read_mnist()
    assert record["data"]["sha256"] == source["sha256"]
    for private in (str(recorded), str(digits), str(Path.home()), platform.node()):
        assert private not in text


# ---------------------------------------------------------------- the runner's logic, without training


@pytest.fixture
def fake(here, monkeypatch):
    """Runs that cost nothing; the list says which were executed."""
    executed = []

    def execute(study, run, teacher, data):
        executed.append(run if run.seed in TUNING else run[:2])
        assert teacher == (None if run.arm == "teacher" else b"a teacher")
        accuracy = round(0.5 + 0.1 * (run.seed % 100) + 0.01 * len(run.arm) - abs(run.rate - 0.06), 6)
        measured = dict.fromkeys(("train_loss", "train_accuracy", "val_loss", "val_accuracy"), accuracy)
        rows = [{"update": u, "examples": 32 * u, "seconds": 0.5 * u} | measured for u in (0, 4)]
        return [row | {"test_accuracy": None} for row in rows], b"a teacher"

    monkeypatch.setattr(experiments, "_execute", execute)
    return executed


def failing_at(real, arm, seed, error):
    """The fake runs, but one of them fails."""

    def execute(study, run, teacher, data):
        if run[:2] == (arm, seed):
            raise error
        return real(study, run, teacher, data)

    return execute


def seeds_in(out):
    return sorted({int(row["seed"]) for row in rows_of(out / "mnist_article.csv")})


def test_teachers_first_then_seed_by_seed(fake, tmp_path):
    assert run_study(QUICK, seeds=2, out=tmp_path) == []
    assert fake == [("teacher", 0), ("teacher", 1)] + [(arm, seed) for seed in (0, 1) for arm in QUICK.arms]
    assert seeds_in(tmp_path) == [0, 1]
    fake.clear()
    assert run_study(QUICK, seeds=2, out=tmp_path) == []
    assert fake == []


def test_more_seeds_later(fake, tmp_path):
    run_study(QUICK, seeds=1, out=tmp_path)
    run_study(QUICK, seeds=3, out=tmp_path)
    assert len(fake) == len(set(fake)) == 3 * 9
    assert seeds_in(tmp_path) == [0, 1, 2]


def test_interrupted_study_goes_on(fake, tmp_path, monkeypatch):
    real = experiments._execute

    monkeypatch.setattr(experiments, "_execute", failing_at(real, "net2wider", 1, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run_study(QUICK, seeds=2, out=tmp_path)
    assert seeds_in(tmp_path) == [0]  # whole seeds only
    monkeypatch.setattr(experiments, "_execute", real)
    run_study(QUICK, seeds=2, out=tmp_path)
    assert len(fake) == len(set(fake)) == 2 * 9  # none lost, none done twice
    assert seeds_in(tmp_path) == [0, 1]


def test_one_failed_run_leaves_the_others(fake, tmp_path, monkeypatch):
    real = experiments._execute

    monkeypatch.setattr(experiments, "_execute", failing_at(real, "randompad", 0, MemoryError("no memory left")))
    assert run_study(QUICK, seeds=2, out=tmp_path) == ["randompad, seed 0: MemoryError: no memory left"]
    assert seeds_in(tmp_path) == [1]
    monkeypatch.setattr(experiments, "_execute", real)
    assert run_study(QUICK, seeds=2, out=tmp_path) == []
    assert fake[-1] == ("randompad", 0)
    assert len(fake) == 2 * 9


def test_full_disk_is_reported_and_nothing_half_written_is_kept(fake, tmp_path, monkeypatch):
    def full(path, raw):
        raise OSError(28, "No space left on device")

    for room in (experiments, states):
        monkeypatch.setattr(room, "write_whole", full)
    failures = run_study(QUICK, out=tmp_path)
    assert len(failures) == 9
    assert "No space left on device" in failures[0]
    assert all("its teacher is missing" in failure for failure in failures[1:])
    assert not list(tmp_path.glob("*.csv"))


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[: len(raw) // 2], lambda raw: raw.replace(b"0.5", b"0.9"), lambda raw: b"[]"]
)
def test_damaged_state_is_detected(fake, tmp_path, damage):
    run_study(QUICK, out=tmp_path)
    (tmp_path / "mnist_article.csv").unlink()  # where whole seeds stand, their runs are not looked at again
    path = tmp_path / ".runs" / "mnist_article" / "seed0-0.01-constant-randominit.json"
    path.write_bytes(damage(path.read_bytes()))
    fake.clear()
    with pytest.raises(
        Net2NetError, match=r"seed0-0\.01-constant-randominit\.json is damaged.*delete it, and the run is done again"
    ):
        run_study(QUICK, out=tmp_path)
    assert fake == []  # said before hours are spent
    path.unlink()
    assert run_study(QUICK, out=tmp_path) == []
    assert fake == [("randominit", 0)]


@pytest.mark.parametrize(
    ("damage", "word"), [(lambda path: path.write_bytes(b"x"), "damaged"), (Path.unlink, "missing")]
)
def test_damaged_teacher_is_detected(fake, tmp_path, damage, word):
    run_study(QUICK, out=tmp_path)
    (tmp_path / "mnist_article.csv").unlink()
    damage(tmp_path / ".runs" / "mnist_article" / "seed0-0.01-constant-teacher.keras")
    with pytest.raises(Net2NetError, match=rf"seed0-0\.01-constant-teacher\.keras is {word}.*seed0-\*"):
        run_study(QUICK, out=tmp_path)


def test_other_settings_do_not_mix(fake, tmp_path):
    run_study(QUICK, out=tmp_path)
    with pytest.raises(Net2NetError, match="other settings, data or library versions"):
        run_study(dataclasses.replace(QUICK, rates=(0.1,)), out=tmp_path)
    other_rate = {arm: begun._replace(rate=0.1) for arm, begun in QUICK.arms.items()}
    other_budget = {arm: begun._replace(epochs=2) for arm, begun in QUICK.arms.items()}
    for arms in (other_rate, other_budget):
        with pytest.raises(Net2NetError, match="other settings, data or library versions"):
            run_study(dataclasses.replace(QUICK, arms=arms), seeds=2, out=tmp_path)
    reworded = dataclasses.replace(QUICK, question="Put in other words?")
    assert run_study(reworded, out=tmp_path) == []
    assert len(fake) == 9


# ---------------------------------------------------------------- choosing rates, and adding seeds

CHOOSING = dataclasses.replace(QUICK, rates=(0.02, 0.06, 0.2), schedules=("constant", "cosine"))


def test_every_arm_chooses_before_its_seeds_and_its_choice_is_recorded(fake, tmp_path):
    assert run_study(CHOOSING, out=tmp_path) == []
    assert {run.arm for run in fake[:18]} == {"teacher"}
    assert {run[1:] for run in fake[:18]} == {
        (seed, *setting) for setting in CHOOSING.settings("teacher") for seed in TUNING
    }
    assert fake[18] == ("teacher", 0)
    assert {run.seed for run in fake[19:163]} == set(TUNING)
    assert fake[163:] == [(arm, 0) for arm in QUICK.arms]
    record = json.loads((tmp_path / "mnist_article.json").read_text())
    assert set(record["chosen"]) == set(record["tried"]) == {"teacher", *QUICK.arms}
    for arm, tried in record["tried"].items():
        assert record["chosen"][arm] == {
            "lr": 0.06,
            "schedule": "constant",
        }  # the first of the best
        assert len(tried) == 6
        assert [len(one["val_accuracy"]) for one in tried] == [3] * 6
    rows = rows_of(tmp_path / "mnist_article.csv")
    assert {row["lr"] for row in rows} == {"0.06"}
    assert {row["seed"] for row in rows} == {"0"}


def test_where_there_is_no_accuracy_the_least_loss_is_chosen(fake, tmp_path):
    assert run_study(dataclasses.replace(CHOOSING, goal="val_loss"), out=tmp_path) == []
    record = json.loads((tmp_path / "mnist_article.json").read_text())
    # The fake runs' values are highest near 0.06 and lowest at the rate that is farthest from it.
    lowest = max((rate for rate, _ in CHOOSING.settings("teacher")), key=lambda rate: abs(rate - 0.06))
    assert {choice["lr"] for choice in record["chosen"].values()} == {lowest}
    assert all("val_loss" in one and "val_accuracy" not in one for one in record["tried"]["teacher"])
    assert record["definition"]["goal"] == "val_loss"


def test_an_arm_with_a_given_rate_chooses_nothing(fake, tmp_path):
    arms = CHOOSING.arms | {"randompad": CHOOSING.arms["randompad"]._replace(rate=0.5)}
    assert run_study(dataclasses.replace(CHOOSING, arms=arms, schedules=("constant",)), out=tmp_path) == []
    assert fake.count(("randompad", 0)) == 1
    assert not [run for run in fake if run[0] == "randompad" and run[1] in TUNING]
    record = json.loads((tmp_path / "mnist_article.json").read_text())
    assert record["chosen"]["randompad"] == {"lr": 0.5, "schedule": "constant"}


def test_what_was_recorded_is_state_enough_to_add_seeds(fake, tmp_path):
    """The folder with single runs is lost, as it is with the machine; the CSV is not."""
    run_study(CHOOSING, seeds=2, out=tmp_path)
    before = rows_of(tmp_path / "mnist_article.csv")
    shutil.rmtree(tmp_path / ".runs")
    fake.clear()
    assert run_study(CHOOSING, seeds=3, out=tmp_path) == []
    assert fake == [(arm, 2) for arm in ("teacher", *QUICK.arms)]  # nothing is chosen again
    after = rows_of(tmp_path / "mnist_article.csv")
    assert after[: len(before)] == before
    assert seeds_in(tmp_path) == [0, 1, 2]
    assert load_results("mnist_article", tmp_path).attrs["seeds"] == [0, 1, 2]


def test_recorded_results_of_other_settings_are_not_overwritten(fake, tmp_path):
    run_study(QUICK, out=tmp_path)
    shutil.rmtree(tmp_path / ".runs")
    before = (tmp_path / "mnist_article.csv").read_bytes()
    with pytest.raises(Net2NetError, match=r"mnist_article\.csv was recorded with other settings.*move it"):
        run_study(CHOOSING, out=tmp_path)
    assert (tmp_path / "mnist_article.csv").read_bytes() == before


def test_an_arm_that_could_not_choose_is_left_out(fake, tmp_path, monkeypatch):
    real = experiments._execute
    monkeypatch.setattr(
        experiments, "_execute", failing_at(real, "randompad", TUNING[1], MemoryError("no memory left"))
    )
    failures = run_study(CHOOSING, out=tmp_path)
    assert len(failures) == 7
    assert "randompad, trying 0.02 constant, seed 1000001: MemoryError: no memory left" in failures
    assert "randompad, seed 0: no setting was chosen; see its trials' own failures" in failures
    assert not (tmp_path / "mnist_article.csv").exists()
    monkeypatch.setattr(experiments, "_execute", real)
    assert run_study(CHOOSING, out=tmp_path) == []
    assert len(fake) == len(set(fake)) == 9 * 19


def test_too_few_images_are_refused(here, tmp_path):
    with pytest.raises(Net2NetError, match=r"at least 60,000 train images, got 200 .*NET2NET_MNIST.*--quick"):
        run_study(ARTICLE, out=tmp_path)


# ---------------------------------------------------------------- many machines


@pytest.fixture
def cluster(here):
    """Two workers of Dask, as on two machines: processes that share nothing but the address of their scheduler."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        yield cluster


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_does_every_run(cluster, tmp_path):
    """As soon as the first student is done, one of the two workers is killed in the middle of its run."""
    from distributed import Client

    study = dataclasses.replace(QUICK, arms=dict(list(QUICK.arms.items())[:4]))
    folder, done = tmp_path / ".runs" / "mnist_article", threading.Event()

    def kill():
        while not done.is_set():
            if len(list(folder.glob("*.json"))) >= 2:  # the teacher and a student
                with Client(cluster.scheduler_address) as client:
                    busy = next(worker for worker, tasks in client.processing().items() if tasks)
                    killed.append(client.run(os.getpid, workers=[busy])[busy])
                os.kill(killed[0], signal.SIGKILL)
                return
            time.sleep(0.05)

    killed, killer = [], threading.Thread(target=kill)
    killer.start()
    try:
        failures = run_study(study, scheduler=cluster.scheduler_address, out=tmp_path)
    finally:
        done.set()
        killer.join()
    assert killed
    assert failures == []
    assert set(load_results("mnist_article", tmp_path)["arm"]) == {"teacher", *study.arms}


def test_workers_that_would_do_two_runs_at_once_are_refused(here, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as two,
        pytest.raises(Net2NetError, match="scheduler: worker .* has 2 threads.*--nthreads 1"),
    ):
        run_study(QUICK, scheduler=two.scheduler_address, out=tmp_path)


def test_a_scheduler_that_is_not_there(here, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(experiments, "PATIENCE", 0.5)
    with pytest.raises(
        Net2NetError, match=r"scheduler: nothing answers at 'tcp://127\.0\.0\.1:9'.*start `dask scheduler`"
    ):
        run_study(QUICK, scheduler="tcp://127.0.0.1:9", out=tmp_path)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(Net2NetError, match="scheduler: Dask is not installed; `pip install distributed`"):
        run_study(QUICK, scheduler="tcp://127.0.0.1:9", out=tmp_path)


# ---------------------------------------------------------------- training and measuring


def tiny_model():
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", metrics=["accuracy"])
    return model


def test_train_measures_at_marks_and_ends_of_epochs():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)).astype("float32")
    y = np.eye(2)[(x[:, 0] > 0).astype(int)]
    model = tiny_model()
    before = model.evaluate(x, y, verbose=0, return_dict=True)
    rows = experiments.train(model, (x, y), (x, y), epochs=3, batch_size=16, marks=(0, 1, 5))
    assert [row["update"] for row in rows] == [0, 1, 4, 5, 8, 12]
    assert [row["examples"] for row in rows] == [
        0,
        16,
        50,
        66,
        100,
        150,
    ]  # the last batch of an epoch is short
    assert rows[0]["val_loss"] == pytest.approx(before["loss"], abs=1e-5)
    assert rows[-1]["val_loss"] < rows[0]["val_loss"]
    assert rows[-1]["train_loss"] == rows[-1]["val_loss"]
    again = experiments.train(tiny_model(), (x, y), (x, y), epochs=3, batch_size=16, marks=(0, 1, 5))
    other = experiments.train(tiny_model(), (x, y), (x, y), epochs=3, batch_size=16, marks=(0, 1, 5), seed=1)
    losses = [[row["val_loss"] for row in run] for run in (rows, again, other)]
    assert losses[0] == losses[1] != losses[2]


def test_the_graph_of_an_update_is_made_once(monkeypatch):
    import keras

    traced, step = [], keras.Sequential.train_step
    monkeypatch.setattr(keras.Sequential, "train_step", lambda *args: traced.append(args) or step(*args))
    model, x, y = tiny_model(), np.ones((32, 3)), np.ones((32, 2))
    model.compile("adam", model.loss)
    experiments.train(model, (x, y), (x, y), epochs=2, batch_size=16)
    assert len(traced) == 1


def test_train_sees_every_image_once_an_epoch():
    class Recorder:
        seen = trainable_variables = ()
        optimizer = types.SimpleNamespace(learning_rate=0.1, build=lambda variables: None)

        def train_on_batch(self, x, y):
            np.testing.assert_array_equal(x, y)
            self.seen += (*x,)

        def evaluate(self, *args, **kwargs):
            return {"loss": 0.0, "accuracy": 0.0}

    recorder, images = Recorder(), np.arange(10)
    experiments.train(recorder, (images, images), (images, images), epochs=2, batch_size=4)
    assert sorted(recorder.seen[:10]) == sorted(recorder.seen[10:]) == list(range(10))
    assert recorder.seen[:10] != recorder.seen[10:] != tuple(range(10))


# ---------------------------------------------------------------- results


def small_frame():
    import pandas as pd

    rows = [("a", 0, seed, value) for seed, value in enumerate((0.1, 0.5, 0.3))]
    rows += [("a", 9, seed, value) for seed, value in enumerate((0.8, 0.9, 0.7))] + [("b", 9, 0, 0.6)]
    return pd.DataFrame(rows, columns=["arm", "update", "seed", "val_accuracy"]).assign(examples=0)


def test_summarize():
    table = summarize(small_frame())
    assert table["arm"].tolist() == ["a", "a", "b"]
    assert table["median"].tolist() == [0.3, 0.8, 0.6]
    assert table["low"].tolist() == [0.1, 0.7, 0.6]
    assert table["high"].tolist() == [0.5, 0.9, 0.6]
    assert table["seeds"].tolist() == [3, 3, 1]


def test_results_that_are_not_there():
    with pytest.raises(Net2NetError, match=r"no nowhere\.csv found.*helpers\.experiments run nowhere"):
        load_results("nowhere")


def test_damaged_results_are_detected(fake, tmp_path):
    run_study(QUICK, out=tmp_path)
    path, record = tmp_path / "mnist_article.csv", tmp_path / "mnist_article.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\n", b"\r\n"))  # what a checkout on Windows does
    assert len(load_results("mnist_article", tmp_path)) == 18
    path.write_bytes(whole[:-20])
    with pytest.raises(Net2NetError, match="not the one that its JSON describes"):
        load_results("mnist_article", tmp_path)
    path.write_bytes(whole)
    record.write_text("{")
    with pytest.raises(Net2NetError, match=r"mnist_article\.json, which describes the CSV, cannot be read"):
        load_results("mnist_article", tmp_path)
    record.unlink()
    with pytest.raises(Net2NetError, match="cannot be read"):
        load_results("mnist_article", tmp_path)


# All but `scaling`, which is no study of arms, and the studies of language; their own tests look at them.
RECORDED = sorted({path.stem for path in (ROOT / "results").glob("*.csv")} - {"scaling"} - LANGUAGE.keys())


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_results_fit_their_study(name):
    """What is committed was made by the study as it stands, whole, on all of its data."""
    frame, study = load_results(name), STUDIES[name]
    definition = frame.attrs["definition"]
    assert definition == json.loads(json.dumps(study.definition()))
    record = frame.attrs
    assert record["fingerprint"] == experiments.fingerprint(study, record["data"]["sha256"], record["versions"])
    checksum = data.MNIST_SHA256 if study.task in (tasks.mnist, tasks.flat_mnist) else study.task()[2]["sha256"]
    if study.task is not tasks.text or frame.attrs["versions"]["python"] == platform.python_version():
        assert frame.attrs["data"]["sha256"] == checksum  # each Python carries another text
    assert f"run {name} --seeds" in frame.attrs["command"]
    assert "--quick" not in frame.attrs["command"]
    columns = [*experiments.COLUMNS, *(["test_loss"] if study.goal == "val_loss" else [])]
    assert list(frame.columns[: len(columns)]) == columns
    further = frame.columns[len(columns) :]
    assert bool(len(further)) == (study.inspect is not None)
    assert all(column in study.inspect.__doc__ for column in further)
    assert set(frame["seed"]) == set(frame.attrs["seeds"]) != set()
    assert frame.attrs["chosen"].keys() == {"teacher", *study.arms}
    best = min if study.goal == "val_loss" else max
    for arm, choice in frame.attrs["chosen"].items():
        tried = frame.attrs["tried"].get(arm, [choice | {study.goal: [1]}])
        assert [(one["lr"], one["schedule"]) for one in tried] == study.settings(arm)
        assert best(tried, key=lambda one: np.mean(one[study.goal])).items() >= choice.items()
        assert set(frame["lr"][frame["arm"] == arm]) == {choice["lr"]}
    per_epoch = -(-study.images // study.batch_size)
    for (arm, _), run in frame.groupby(["arm", "seed"]):
        stages = definition.get("budgets", {}).get(arm, [study.epochs])
        expected, before = set(), 0
        for epochs in [study.teacher_epochs] if arm == "teacher" else stages:
            measured = {mark for mark in study.marks if mark <= per_epoch * epochs}
            measured |= {per_epoch * epoch for epoch in range(1, epochs + 1)}
            expected |= {before + update for update in measured}
            before += per_epoch * epochs
        assert set(run["update"]) == expected
    assert set(frame["arm"]) == {"teacher", *study.arms}


# ---------------------------------------------------------------- the command line


def test_list(capsys):
    assert experiments.main(["list"]) == 0
    words = capsys.readouterr().out
    assert all(name in words for name in STUDIES)
    assert "net2wider_random" in words


def test_unknown_study(capsys):
    assert experiments.main(["run", "mnist_artcle"]) == 2
    assert "There is no study 'mnist_artcle'; there are: mnist_article" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--jobs", "0"], ["--seeds", "0"], ["--seeds", "-1"]])
def test_nonsense_numbers(capsys, words):
    assert experiments.main(["run", "mnist_article", *words]) == 2
    assert "at least 1" in capsys.readouterr().err


def test_failures_show_in_the_exit_code(fake, tmp_path, monkeypatch, capsys):
    def failing(*args):
        raise RuntimeError("broken")

    monkeypatch.setattr(experiments, "_execute", failing)
    assert experiments.main(["run", "mnist_article", "--quick", "--out", str(tmp_path)]) == 1
    words = capsys.readouterr().err
    assert "failed: teacher, seed 0: RuntimeError: broken" in words
    assert "failed: net2wider, seed 0: its teacher is missing" in words
    monkeypatch.setenv("NET2NET_MNIST", str(tmp_path / "none.npz"))
    assert experiments.main(["run", "mnist_article", "--quick", "--out", str(tmp_path)]) == 1
    assert "none.npz" in capsys.readouterr().err


def test_quick_is_kept_apart_from_recorded_results(fake, monkeypatch):
    places = []
    monkeypatch.setattr(experiments, "run_study", lambda study, out, **rest: places.append(out) or [])
    experiments.main(["run", "mnist_article", "--quick"])
    experiments.main(["run", "mnist_article"])
    assert [place.relative_to(ROOT) for place in places] == [Path("results/.quick"), Path("results")]
