"""Experiments: teachers, students, arms, seeds, and the runner that records them.

``python -m helpers.experiments list`` names the studies, ``... run STUDY`` runs one and writes
``results/STUDY.csv`` (one row for each measurement) and ``results/STUDY.json`` (what made it). A study that
was interrupted goes on where it stopped: finished runs are kept under ``results/.runs/STUDY/``.
"""

import argparse
import csv
import dataclasses
import datetime
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from helpers.data import read_mnist, write_whole
from helpers.weights import Net2NetError

# Keras is imported inside functions: `list` and `load_results` do without it; a run sets its threads first.

__all__ = [
    "STUDIES",
    "Study",
    "load_results",
    "make_deeper_student",
    "make_wider_student",
    "mnist_cnn",
    "run_study",
    "summarize",
    "train",
]

COLUMNS = [
    *("study", "arm", "seed", "lr", "update", "examples", "seconds"),
    *("train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_accuracy"),
]
ROOT = Path(__file__).resolve().parent.parent


# ---------------------------------------------------------------- teachers and students


def mnist_cnn(conv1=64, fc1=128, deeper=False, learning_rate=0.01):
    """The article's convolutional network for MNIST, compiled, with fresh random weights.

    Parameters
    ----------
    conv1, fc1 : int
        Channels of the first convolution and units of the first dense layer.
    deeper : bool
        Whether a second dense layer, ``fc1_deeper``, as wide as ``fc1``, stands behind it.
    learning_rate : float
        Of plain stochastic gradient descent.

    Returns
    -------
    keras.Sequential
        From images (n, 28, 28, 1) to the probabilities of ten digits (n, 10).
    """
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(conv1, 3, padding="same", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(128, 3, padding="same", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(fc1, activation="relu", name="fc1"),
            *([layers.Dense(fc1, activation="relu", name="fc1_deeper")] if deeper else []),
            layers.Dense(10, activation="softmax", name="fc2"),
        ]
    )
    model.compile(keras.optimizers.SGD(learning_rate), "categorical_crossentropy", metrics=["accuracy"])
    return model


def make_deeper_student(teacher, init="net2deeper", seed=None):
    """The teacher with a dense layer ``fc1_deeper`` behind ``fc1``.

    Parameters
    ----------
    teacher : keras.Model
        Made by `mnist_cnn`.
    init : {"net2deeper", "randominit"}
        The new layer is the identity, so that the student computes what the teacher does, or it is random,
        with the teacher's weights in all other layers.
    seed : int, optional

    Returns
    -------
    keras.Model
        Compiled as the teacher is.
    """
    from helpers.models import net2deeper_net

    return net2deeper_net(teacher, after="fc1", init=init, seed=seed)


def make_wider_student(teacher, init="net2wider", split="equal", seed=None):
    """The teacher with twice the channels in ``conv1`` and twice the units in ``fc1``.

    Parameters
    ----------
    teacher : keras.Model
        Made by `mnist_cnn`.
    init : {"net2wider", "randompad"}
        The new channels and units are copies, so that the student computes what the teacher does, or random.
    split : {"equal", "random"}
        How the copies of a unit share its outgoing weights.
    seed : int, optional

    Returns
    -------
    keras.Model
        Compiled as the teacher is.
    """
    from helpers.models import net2wider_net

    widths = {"conv1": 2 * teacher.get_layer("conv1").filters, "fc1": 2 * teacher.get_layer("fc1").units}
    return net2wider_net(teacher, widths, init=init, split=split, seed=seed)


def train(model, data, validation, *, epochs, batch_size=32, seed=0, marks=(0,), measured=5000, label=None):
    """Train a compiled model and measure it on the way.

    Parameters
    ----------
    model : keras.Model
        Compiled with one loss and the metric "accuracy"; trained in place.
    data, validation : (x, y)
        Arrays as ``model.fit`` takes them.
    epochs, batch_size : int
    seed : int or sequence of int
        Fixes the order of the images, so that all arms of one seed see the same batches.
    marks : sequence of int
        Updates after which to measure, besides the end of each epoch; 0 is before training.
    measured : int
        ``train_loss`` and ``train_accuracy`` are measured on the first `measured` images of `data`, after the
        update and without dropout, as the validation is.
    label : str, optional
        Shows a progress bar with this name.

    Returns
    -------
    list of dict
        One for each measurement: update, examples, seconds, train_loss, train_accuracy, val_loss, val_accuracy.
        The seconds are the processor's, spent in training without the measuring, so that what else the machine
        does hardly changes them.
    """
    from tqdm import tqdm

    x, y = data
    rng, marks, rows, seconds, update = np.random.default_rng(seed), set(marks), [], 0.0, 0
    batches = [slice(start, start + batch_size) for start in range(0, len(x), batch_size)]

    def measure():
        seen = update // len(batches) * len(x) + update % len(batches) * batch_size
        row = {"update": update, "examples": seen, "seconds": round(seconds, 3)}
        for name, (images, labels) in (("train", (x[:measured], y[:measured])), ("val", validation)):
            result = model.evaluate(images, labels, batch_size=500, verbose=0, return_dict=True)
            row |= {f"{name}_{key}": round(result[key], 6) for key in ("loss", "accuracy")}
        rows.append(row)

    if 0 in marks:
        measure()
    with tqdm(total=epochs * len(batches), desc=label, disable=label is None, unit="update") as bar:
        for _ in range(epochs):
            order = rng.permutation(len(x))
            for number, batch in enumerate(batches, start=1):
                begin = time.process_time()
                model.train_on_batch(x[order[batch]], y[order[batch]])
                seconds += time.process_time() - begin
                update += 1
                bar.update()
                if update in marks or number == len(batches):
                    measure()
    return rows


# ---------------------------------------------------------------- studies


@dataclasses.dataclass(frozen=True)
class Study:
    """A few lines that say what is compared: teacher, arms, budget, data."""

    name: str
    question: str
    measure: str
    validation: str
    teacher: Callable  # () -> compiled model
    arms: dict  # name -> (how the student begins, (teacher, seed) -> compiled model)
    seeds: int
    learning_rate: float
    teacher_epochs: int
    epochs: int
    batch_size: int
    images: int
    validation_images: int
    measured: int
    marks: tuple

    def settings(self):
        """What a finished run depends on, arm and seed aside."""
        words = ("name", "question", "measure", "validation", "teacher", "arms", "seeds")
        numbers = {key: value for key, value in vars(self).items() if key not in words}
        return numbers | {"marks": list(self.marks)}

    def definition(self):
        """All of it, in words and numbers."""
        return {
            **{key: getattr(self, key) for key in ("name", "question", "measure", "validation")},
            "arms": {arm: text for arm, (text, _) in self.arms.items()},
            **self.settings(),
        }

    def quick(self):
        """A tiny form that shows that everything runs, and nothing else."""
        return dataclasses.replace(self, seeds=1, epochs=1, images=128, validation_images=64, measured=64, marks=(0, 2))


MNIST_ARTICLE = Study(
    name="mnist_article",
    question="The article's experiment: do a deeper and a wider student, grown from a teacher of one epoch, "
    "go on better than a student with random new weights, one from scratch, and the teacher itself?",
    measure="val_accuracy before training and after each student epoch, median and range over the seeds",
    validation="val_* is measured on the 10,000 test images of MNIST, as in the article; it chooses nothing. "
    "train_* is measured on the first 5,000 training images. "
    "test_accuracy stands in a run's last row and is the val_accuracy there. seconds are processor time on one "
    "thread, spent in training.",
    teacher=mnist_cnn,
    arms={
        "teacher_continued": ("the teacher itself, trained on", lambda teacher, seed: teacher),
        "scratch_deeper": (
            "fc1_deeper added, all weights random",
            lambda teacher, seed: mnist_cnn(deeper=True),
        ),
        "randominit": (
            "fc1_deeper added with random weights, the teacher's weights elsewhere",
            lambda teacher, seed: make_deeper_student(teacher, "randominit", seed),
        ),
        "net2deeper": (
            "fc1_deeper added as the identity",
            lambda teacher, seed: make_deeper_student(teacher, "net2deeper", seed),
        ),
        "scratch_wider": (
            "conv1 64 to 128 and fc1 128 to 256, all weights random",
            lambda teacher, seed: mnist_cnn(conv1=128, fc1=256),
        ),
        "randompad": (
            "the same widths, the teacher's weights padded with random ones",
            lambda teacher, seed: make_wider_student(teacher, "randompad", seed=seed),
        ),
        "net2wider": (
            "the same widths, by copies with equal shares",
            lambda teacher, seed: make_wider_student(teacher, seed=seed),
        ),
        "net2wider_random": (
            "the same widths, by copies with random shares",
            lambda teacher, seed: make_wider_student(teacher, split="random", seed=seed),
        ),
    },
    seeds=3,
    learning_rate=0.01,
    teacher_epochs=1,
    epochs=3,
    batch_size=32,
    images=60_000,
    validation_images=10_000,
    measured=5000,
    marks=(0, 10, 30, 100, 300, 1000),
)

STUDIES = {study.name: study for study in (MNIST_ARTICLE,)}


# ---------------------------------------------------------------- the runner


def run_study(study, *, seeds=None, jobs=1, out, command=""):
    """Do all runs of a study that are not done yet, and write its CSV and JSON.

    Parameters
    ----------
    study : Study
    seeds : int, optional
        Seeds 0 to seeds - 1 are run; the study's own number by default.
    jobs : int
        Runs at a time, each on one thread.
    out : path
        Folder for the CSV, the JSON and the state of the runs.
    command : str
        Recorded in the JSON.

    Returns
    -------
    list of str
        One line for each run that failed; the others are done and kept.

    Raises
    ------
    Net2NetError
        If the state of an earlier run is damaged or was made under other settings, or the data are too few.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    out, seeds = Path(out), range(seeds or study.seeds)
    folder = out / ".runs" / study.name
    _, source = read_mnist()
    for part, needed in (("train", study.images), ("test", study.validation_images)):
        if source[part] < needed:
            raise Net2NetError(
                f"{study.name}: expected at least {needed:,} {part} images, got {source[part]:,} "
                f"({source['source']}); let NET2NET_MNIST name the full mnist.npz, or use --quick"
            )
    origin = {"settings": study.settings(), "data": source["sha256"], "versions": _versions()}
    stamp = {"fingerprint": hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()}
    stamp |= {"commit": _commit(), "date": datetime.date.today().isoformat()}
    done = {
        (arm, seed): state
        for seed in seeds
        for arm in ("teacher", *study.arms)
        if (state := _read_state(folder, arm, seed, stamp["fingerprint"]))
    }
    runs = [("teacher", seed) for seed in seeds] + [(arm, seed) for seed in seeds for arm in study.arms]
    failures, written = [], set()

    def write_complete_seeds():
        complete = [seed for seed in seeds if all((arm, seed) in done for arm in ("teacher", *study.arms))]
        if set(complete) - written:
            states = [done[arm, seed] for seed in complete for arm in ("teacher", *study.arms)]
            _write_results(study, out, complete, states, source, command)
            written.update(complete)

    write_complete_seeds()
    todo = [run for run in runs if run not in done]
    with tqdm(total=len(runs), initial=len(done), desc=study.name, unit="run") as bar:
        # The teachers come first, since the arms of a seed begin with its teacher.
        for batch in ([r for r in todo if r[0] == "teacher"], [r for r in todo if r[0] != "teacher"]):
            calls = (delayed(_run)(study, arm, seed, folder, stamp) for arm, seed in batch)
            for arm, seed, error in Parallel(jobs, return_as="generator_unordered")(calls):
                if error:
                    failures.append(f"{arm}, seed {seed}: {error}")
                else:
                    done[arm, seed] = _read_state(folder, arm, seed, stamp["fingerprint"])
                    write_complete_seeds()
                bar.set_postfix_str(f"last: {arm}, seed {seed}")
                bar.update()
    return failures


def _run(study, arm, seed, folder, stamp):
    """One run, in whatever process. A failure is returned, so that it does not take other runs with it."""
    try:
        teacher = _path(folder, "teacher", seed).with_suffix(".keras")
        rows, model = _execute(study, arm, seed, teacher)
        head = {"study": study.name, "arm": arm, "seed": seed, "lr": study.learning_rate}
        rows = [head | row | {"test_accuracy": None} for row in rows]
        rows[-1]["test_accuracy"] = rows[-1]["val_accuracy"]
        state = stamp | {"arm": arm, "seed": seed, "rows": rows}
        if arm == "teacher":
            folder.mkdir(parents=True, exist_ok=True)
            part = teacher.with_suffix(".part.keras")
            model.save(part)
            os.replace(part, teacher)
            state["model_sha256"] = hashlib.sha256(teacher.read_bytes()).hexdigest()
        state["sha256"] = _state_checksum(state)
        write_whole(_path(folder, arm, seed), json.dumps(state).encode())
    except Exception as error:
        return arm, seed, f"{type(error).__name__}: {error}"
    return arm, seed, None


def _execute(study, arm, seed, teacher):
    """Build the model of an arm and train it; `teacher` is the path of the seed's trained teacher."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow as tf

    _one_deterministic_thread(tf)
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    arrays, _ = read_mnist()

    def images(part, n):
        x, y = arrays[f"x_{part}"][:n, ..., np.newaxis], arrays[f"y_{part}"][:n]
        return x / np.float32(255), keras.utils.to_categorical(y, 10)

    if arm == "teacher":
        model, epochs = study.teacher(), study.teacher_epochs
    elif teacher.exists():
        model, epochs = study.arms[arm][1](keras.models.load_model(teacher), seed), study.epochs
    else:
        raise Net2NetError("its teacher is missing; see the teacher's own failure")
    model.optimizer.learning_rate = study.learning_rate
    rows = train(
        model,
        images("train", study.images),
        images("test", study.validation_images),
        epochs=epochs,
        batch_size=study.batch_size,
        seed=(seed, 0 if arm == "teacher" else 1),
        marks=study.marks,
        measured=study.measured,
        label=f"{arm}, seed {seed}" if sys.stderr.isatty() else None,
    )
    return rows, model


def _one_deterministic_thread(tf):
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow was already at work in this process
        if tf.config.threading.get_intra_op_parallelism_threads() != 1:
            raise Net2NetError(
                "TensorFlow already runs with several threads in this process, so the rows could differ from "
                "time to time; run the study through `python -m helpers.experiments`, or with jobs=2 or more"
            ) from None
    tf.config.experimental.enable_op_determinism()


def _path(folder, arm, seed):
    return Path(folder) / f"seed{seed}-{arm}.json"


def _state_checksum(state):
    rest = {key: value for key, value in state.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _read_state(folder, arm, seed, fingerprint):
    """The state of a finished run, None if there is none."""
    path = _path(folder, arm, seed)
    model = path.with_suffix(".keras")
    advice = "delete it, and the run is done again"
    try:
        state = json.loads(path.read_bytes())
        whole = state["sha256"] == _state_checksum(state)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Net2NetError(
            f"{path} is damaged: expected the JSON of a finished run, got {error!r}; {advice}"
        ) from error
    if not whole:
        raise Net2NetError(f"{path} is damaged: its checksum does not fit its contents; {advice}")
    if state["fingerprint"] != fingerprint:
        raise Net2NetError(
            f"{path} was made with other settings, data or library versions than those of now, and results "
            f"must not mix; go back to those, or delete {path.parent} and begin anew"
        )
    if "model_sha256" in state:
        found = hashlib.sha256(model.read_bytes()).hexdigest() if model.exists() else None
        if found != state["model_sha256"]:
            raise Net2NetError(
                f"{model} is {'damaged' if found else 'missing'}: expected the teacher that {path.name} "
                f"describes; delete the files {path.parent / f'seed{seed}-*'}, and their runs are done again"
            )
    return state


def _write_results(study, out, seeds, states, source, command):
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for state in states:
        writer.writerows(state["rows"])
    raw = text.getvalue().encode()
    record = {
        "study": study.name,
        "definition": study.definition(),
        "seeds": seeds,
        "command": command,
        "commit": sorted({state["commit"] for state in states}),
        "date": max(state["date"] for state in states),
        "versions": _versions(),
        "machine": _machine(),
        "data": {key: source[key] for key in ("source", "train", "test", "sha256")},
        "csv_sha256": hashlib.sha256(raw).hexdigest(),
    }
    write_whole(out / f"{study.name}.csv", raw)
    write_whole(out / f"{study.name}.json", (json.dumps(record, indent=2) + "\n").encode())


def _versions():
    names = ("keras", "tensorflow", "numpy")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names}


def _commit():
    """The commit the code is at, with "-dirty" when files of `helpers` differ from it."""

    def git(*words):
        process = subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, check=True)
        return process.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "--", "helpers") else "")
    except (OSError, subprocess.CalledProcessError):
        return "none"


def _machine():
    """What the speed depends on, and nothing that names the machine."""
    machine = {"cpu": platform.machine(), "cores": os.cpu_count(), "system": platform.system()}
    try:
        info = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
        machine["cpu"] = {key.strip(): value.strip() for key, value in info.items()}["model name"]
        machine["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, KeyError, ValueError):
        pass  # not Linux: what is known is enough
    return machine | {"threads_per_run": 1}


# ---------------------------------------------------------------- reading what was recorded


def load_results(name, folder=None):
    """The recorded results of a study.

    Parameters
    ----------
    name : str
        For example ``"mnist_article"``.
    folder : path, optional
        Where they lie; by default what the installed package carries, or the checkout's ``results``.

    Returns
    -------
    pandas.DataFrame
        One row for each measurement, columns as in the CSV. ``frame.attrs`` holds what made it: command,
        commit, versions, machine, data and the study's definition.

    Raises
    ------
    Net2NetError
        If nothing is recorded under that name, or the CSV and the JSON do not belong together.
    """
    import pandas as pd

    folders = [Path(folder)] if folder else [Path(__file__).resolve().parent / "results", ROOT / "results"]
    found = next((place for place in folders if (place / f"{name}.csv").is_file()), None)
    if found is None:
        recorded = sorted({path.stem for place in folders for path in place.glob("*.csv")})
        raise Net2NetError(
            f"results of {name!r}: no {name}.csv found; recorded are: {', '.join(recorded) or 'none'}; "
            f"`python -m helpers.experiments run {name}` makes them"
        )
    advice = f"take both files from the repository again, or run `python -m helpers.experiments run {name}`"
    try:
        raw = (found / f"{name}.csv").read_bytes()
        record = json.loads((found / f"{name}.json").read_bytes())
        fits = record["csv_sha256"] == hashlib.sha256(raw.replace(b"\r\n", b"\n")).hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Net2NetError(
            f"{found / name}.json, which describes the CSV, cannot be read: {error!r}; {advice}"
        ) from error
    if not fits:
        raise Net2NetError(f"{found / name}.csv is not the one that its JSON describes (checksum); {advice}")
    frame = pd.read_csv(io.BytesIO(raw))
    frame.attrs = record
    return frame


def summarize(frame, value="val_accuracy"):
    """Median and range over the seeds, for each arm and update.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `load_results` gives it.
    value : str
        The column to summarize.

    Returns
    -------
    pandas.DataFrame
        Columns arm, update, examples, median, low, high, seeds; arms in the order of `frame`.
    """
    groups = frame.groupby(["arm", "update", "examples"], sort=False)[value]
    return groups.agg(median="median", low="min", high="max", seeds="count").reset_index()


# ---------------------------------------------------------------- the command


def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the studies")
    run = commands.add_parser("run", help="run a study, or go on with it")
    run.add_argument("study")
    run.add_argument("--seeds", type=int, help="number of seeds")
    run.add_argument("--jobs", type=int, default=1, help="runs at a time, each on one thread")
    run.add_argument("--quick", action="store_true", help="a tiny form, kept apart from the recorded results")
    run.add_argument("--out", type=Path, help="folder to write to (default: results, or results/.quick)")
    given = parser.parse_args(argv)
    if given.command == "list":
        for study in STUDIES.values():
            print(f"{study.name}: {study.question}\n    arms: {', '.join(study.arms)}")
        return 0
    if given.study not in STUDIES:
        print(f"There is no study {given.study!r}; there are: {', '.join(STUDIES)}.", file=sys.stderr)
        return 2
    if given.jobs < 1 or (given.seeds is not None and given.seeds < 1):
        print("--seeds and --jobs must be at least 1.", file=sys.stderr)
        return 2
    study = STUDIES[given.study].quick() if given.quick else STUDIES[given.study]
    results = (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / "results"
    out = given.out or (results / ".quick" if given.quick else results)
    words = f"python -m helpers.experiments run {study.name} --seeds {given.seeds or study.seeds}"
    words += (" --quick" if given.quick else "") + f" --jobs {given.jobs}"
    try:
        failures = run_study(study, seeds=given.seeds, jobs=given.jobs, out=out, command=words)
    except Net2NetError as error:
        print(error, file=sys.stderr)
        return 1
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    if failures:
        print("The other runs are kept; the same command does the failed ones again.", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    # Through the import, so that worker processes find everything under its proper name.
    from helpers.experiments import main

    sys.exit(main())
