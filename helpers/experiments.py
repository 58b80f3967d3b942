"""Experiments: teachers, students, arms, seeds, and the runner that records them.

``python -m helpers.experiments list`` names the studies, ``... run STUDY`` runs one and writes
``results/STUDY.csv`` (one row for each measurement) and ``results/STUDY.json`` (what made it). A study that
was interrupted goes on where it stopped: finished runs are kept under ``results/.runs/STUDY/``, and whole seeds
in the two files themselves, to which more seeds can be added later.
"""

import argparse
import contextlib
import csv
import datetime
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helpers.checks import Net2NetError, check_choice
from helpers.data import write_whole
from helpers.studies import STUDIES
from helpers.study.states import States, digest

# Keras is imported inside functions: `list` and `load_results` do without it; a run sets its threads first.

__all__ = [
    "STUDIES",
    "load_results",
    "run_study",
    "summarize",
    "train",
    "write_results",
]

COLUMNS = [
    *("study", "arm", "seed", "lr", "update", "examples", "seconds"),
    *("train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_accuracy"),
]
COUNTED = ("update", "examples", "seconds")
# Seeds that only choose learning rates and schedules. With one alone, an arm chose a rate at which other seeds diverge.
TUNING = range(1_000_000, 1_000_003)
PATIENCE = 10  # seconds in which a scheduler must answer
ROOT = Path(__file__).resolve().parent.parent


# ---------------------------------------------------------------- training


def train(
    model,
    data,
    validation,
    *,
    epochs,
    batch_size=32,
    seed=0,
    schedule="constant",
    marks=(0,),
    measured=5000,
    inspect=None,
    label=None,
):
    """Train a compiled model and measure it on the way.

    Parameters
    ----------
    model : keras.Model
        Compiled with one loss and, unless it is for regression, the metric "accuracy"; trained in place.
    data, validation : (x, y)
        Arrays as ``model.fit`` takes them.
    epochs, batch_size : int
    seed : int or sequence of int
        Fixes the order of the images, so that all arms of one seed see the same batches.
    schedule : {"constant", "cosine"}
        Whether the optimizer's learning rate stays, or falls along half a cosine to 0 at the end.
    marks : sequence of int
        Updates after which to measure, besides the end of each epoch; 0 is before training.
    measured : int
        ``train_loss`` and ``train_accuracy`` are measured on the first `measured` images of `data`, after the
        update and without dropout, as the validation is.
    inspect : callable, optional
        Called with the model and the validation arrays at each measurement; a dict of further values.
    label : str, optional
        Shows a progress bar with this name.

    Returns
    -------
    list of dict
        One for each measurement: update, examples, seconds, train_loss, train_accuracy, val_loss, val_accuracy (None
        where the model measures no accuracy), and what `inspect` returns.
        The seconds are the processor's, spent in training without the measuring. They hold what TensorFlow takes to
        build the graph of an update; `helpers.measures.timed` takes that out.

    Raises
    ------
    Net2NetError
        If the schedule is unknown.
    """
    from tqdm import tqdm

    check_choice("schedule", schedule, ("constant", "cosine"))
    x, y = data
    rate, total = float(model.optimizer.learning_rate), epochs * -(-len(x) // batch_size)
    rng, marks, rows, seconds, update = np.random.default_rng(seed), set(marks), [], 0.0, 0
    batches = [slice(start, start + batch_size) for start in range(0, len(x), batch_size)]

    def measure():
        seen = update // len(batches) * len(x) + update % len(batches) * batch_size
        row = {"update": update, "examples": seen, "seconds": round(seconds, 3)}
        for name, (images, labels) in (("train", (x[:measured], y[:measured])), ("val", validation)):
            result = model.evaluate(images, labels, batch_size=500, verbose=0, return_dict=True)
            row |= {f"{name}_{key}": _rounded(result, key) for key in ("loss", "accuracy")}
        rows.append(row | (inspect(model, *validation) if inspect else {}))

    # Else its variables come with the first update, whose graph then is made twice.
    model.optimizer.build(model.trainable_variables)
    if 0 in marks:
        measure()
    with tqdm(total=total, desc=label, disable=label is None, unit="update") as bar:
        for _ in range(epochs):
            order = rng.permutation(len(x))
            for number, batch in enumerate(batches, start=1):
                if schedule == "cosine":
                    model.optimizer.learning_rate = rate * (1 + np.cos(np.pi * update / total)) / 2
                begin = time.process_time()
                model.train_on_batch(x[order[batch]], y[order[batch]])
                seconds += time.process_time() - begin
                update += 1
                bar.update()
                if update in marks or number == len(batches):
                    measure()
    return rows


# ---------------------------------------------------------------- the runner


class Run(NamedTuple):
    """One training: of the teacher or of a student, from a seed, with a learning rate and a schedule."""

    arm: str
    seed: int
    rate: float
    schedule: str

    def __str__(self):
        trying = f"trying {self.rate:g} {self.schedule}, " if self.seed in TUNING else ""
        return f"{self.arm}, {trying}seed {self.seed}"

    def file(self):
        """The name of its state, without a suffix."""
        return f"seed{self.seed}-{self.rate}-{self.schedule}-{self.arm.replace(' ', '_')}"


def run_study(study, *, seeds=None, jobs=1, scheduler=None, out, command=""):
    """Do all runs of a study that are not done yet, and write its CSV and JSON.

    Parameters
    ----------
    study : Study
    seeds : int, optional
        Seeds 0 to seeds - 1 are run; the study's own number by default.
    jobs : int
        Runs at a time on this machine, each on one thread.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers do the runs instead; each worker with one thread.
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
        If the state of an earlier run is damaged, if that or what was recorded was made under other settings, if the
        data are too few, or if the scheduler does not answer.
    """
    *_, source = study.task()
    for part, needed in (("train", study.images + study.held_out), ("test", study.test_images)):
        if source[part] < needed:
            raise Net2NetError(
                f"{study.name}: expected at least {needed:,} {part} images, got {source[part]:,} "
                f"({source['source']}); let NET2NET_MNIST name the full mnist.npz, or use --quick"
            )
    with _workers(jobs, scheduler) as parallel:
        return _Recorder(study, range(seeds or study.seeds), Path(out), source, command).record(parallel)


@contextlib.contextmanager
def _workers(jobs, scheduler):
    """What does the runs: processes of this machine, or the workers of a Dask cluster."""
    from joblib import Parallel, parallel_config

    if scheduler is None:
        yield Parallel(jobs, return_as="generator_unordered")
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise Net2NetError("scheduler: Dask is not installed; `pip install distributed`") from error
    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise Net2NetError(f"scheduler: nothing answers at {scheduler!r}: {error}; start `dask scheduler`") from error
    threads = client.nthreads()
    if shared := [worker for worker, n in threads.items() if n > 1]:
        client.close()
        raise Net2NetError(
            f"scheduler: worker {shared[0]} has {threads[shared[0]]} threads, but runs in one process would share its "
            "random numbers; start workers with `dask worker --nthreads 1`"
        )
    with client, parallel_config(backend="dask", wait_for_workers_timeout=60):
        yield Parallel(return_as="generator_unordered")


class _Recorder:
    """A study on its way: what is done, what is to do, and the files that hold it."""

    def __init__(self, study, seeds, out, source, command):
        self.study, self.seeds, self.out, self.source, self.command = study, seeds, out, source, command
        self.states = States(out / ".runs" / study.name, _commit(), ".keras")
        self.fingerprint = fingerprint(study, source["sha256"], _versions())
        self.arms = ("teacher", *study.arms)
        self.recorded = _recorded(study.name, out, self.fingerprint)
        # What was chosen once holds for all seeds that are added later.
        self.chosen = {arm: tuple(choice.values()) for arm, choice in self.recorded.get("chosen", {}).items()}
        self.tried = self.recorded.get("tried", {})
        self.done, self.failures = {}, []

    def record(self, parallel):
        from tqdm import tqdm

        whole = self.recorded.get("seeds", [])
        seeds = [seed for seed in self.seeds if seed not in whole]
        trials = {arm: self._trials(arm) for arm in self.arms}
        total = sum(len(runs) + len(seeds) for runs in trials.values())
        with tqdm(total=total, desc=self.study.name, unit="run") as bar:
            # The teachers come first, since the arms begin with them.
            for arms in (("teacher",), tuple(self.study.arms)):
                self._do([run for arm in arms for run in trials[arm]], parallel, bar)
                for arm in arms:
                    self._choose(arm)
                self._do([Run(arm, seed, *self._setting(arm)) for seed in seeds for arm in arms], parallel, bar)
        return self.failures

    def _do(self, runs, parallel, bar):
        """Do those of the runs that are not done; each is kept as soon as it ends."""
        from joblib import delayed

        for run in runs:
            if state := self.states.read(run.file(), self.fingerprint):
                self.done[run] = state
                bar.update()
        self._write_whole_seeds()
        todo = [run for run in runs if run not in self.done]
        teachers = {seed: self._teacher(seed) for seed in {run.seed for run in todo if run.arm != "teacher"}}
        calls = []
        for run in todo:
            teacher = teachers.get(run.seed)
            if run.rate is None:
                self.failures.append(f"{run}: no setting was chosen; see its trials' own failures")
            elif run.arm != "teacher" and teacher is None:
                self.failures.append(f"{run}: its teacher is missing; see the teacher's own failure")
            else:
                calls.append(delayed(_run)(self.study, run, teacher, self.source["sha256"]))
                continue
            bar.update()
        for run, state, error in parallel(calls) if calls else ():
            if not error:
                try:
                    self._keep(run, state)
                    self._write_whole_seeds()
                except OSError as problem:
                    error = problem
            if error:
                self.failures.append(f"{run}: {error}")
            bar.set_postfix_str(f"last: {run}")
            bar.update()

    def _choose(self, arm):
        """Take the learning rate and schedule that end with the best mean of what the study goes by."""
        settings, trials = self.study.settings(arm), self._trials(arm)
        if len(settings) == 1:
            self.chosen[arm] = settings[0]
        if not trials or not all(run in self.done for run in trials):
            return
        goal = self.study.goal
        values = np.reshape([self.done[run]["rows"][-1][goal] for run in trials], (-1, len(TUNING)))
        means = np.nan_to_num(values.mean(axis=1), nan=np.inf if goal == "val_loss" else -np.inf)
        self.chosen[arm] = settings[int(np.argmin(means) if goal == "val_loss" else np.argmax(means))]
        self.tried[arm] = [
            {"lr": rate, "schedule": schedule, goal: each.tolist()}
            for (rate, schedule), each in zip(settings, values, strict=True)
        ]

    def _trials(self, arm):
        """The runs by which an arm chooses, none if it has no choice or has chosen."""
        settings = self.study.settings(arm)
        if len(settings) == 1 or arm in self.chosen:
            return []
        return [Run(arm, seed, *setting) for setting in settings for seed in TUNING]

    def _setting(self, arm):
        return self.chosen.get(arm, (None, None))

    def _teacher(self, seed):
        """The trained teacher of a seed, as the bytes of a .keras file; None if there is none."""
        run = Run("teacher", seed, *self._setting("teacher"))
        return self.states.left(run.file()) if run in self.done else None

    def _keep(self, run, state):
        model, state = state.get("model"), {key: value for key, value in state.items() if key != "model"}
        state = {"arm": run.arm, "seed": run.seed} | state
        self.done[run] = self.states.keep(run.file(), self.fingerprint, state, model)

    def _write_whole_seeds(self):
        """Write the CSV and the JSON if there are seeds now of which every run is done."""
        before = self.recorded.get("seeds", [])
        runs = {(run.arm, run.seed): state for run, state in self.done.items()}
        whole = [s for s in self.seeds if s not in before and all((arm, s) in runs for arm in self.arms)]
        if not whole:
            return
        states = [runs[arm, seed] for seed in whole for arm in self.arms]
        rows = self.recorded.get("rows", []) + [row for state in states for row in state["rows"]]
        machines = self.recorded.get("machines", []) + [state["machine"] for state in states]
        record = {
            "study": self.study.name,
            "definition": self.study.definition(),
            "seeds": before + whole,
            "chosen": {arm: dict(zip(("lr", "schedule"), self.chosen[arm], strict=True)) for arm in self.arms},
            "tried": self.tried,
            "command": self.command,
            "commit": sorted({*self.recorded.get("commit", []), *(state["commit"] for state in states)}),
            "date": max(state["date"] for state in states),
            "machines": [machine for i, machine in enumerate(machines) if machine not in machines[:i]],
            "data": {key: self.source[key] for key in ("source", "train", "test", "sha256")},
            "fingerprint": self.fingerprint,
        }
        further = [name for name in rows[0] if name not in COLUMNS]
        self.recorded = write_results(rows, record, self.out, COLUMNS + further) | {"rows": rows}


def _run(study, run, teacher, data):
    """One run, in whatever process. A failure is returned, so that it does not take other runs with it."""
    try:
        rows, model = _execute(study, run, teacher, data)
        head = {"study": study.name, "arm": run.arm, "seed": run.seed, "lr": run.rate}
        state = {"rows": [head | row for row in rows], "machine": _machine()}
        if run.arm == "teacher":
            state["model"] = model
    except Exception as error:
        return run, None, f"{type(error).__name__}: {error}"
    return run, state, None


def _execute(study, run, teacher, data):
    """Build the model of an arm and train it; the rows, and the model as the bytes of a .keras file.

    `teacher` holds such bytes too; `data` is the checksum of the images that the other runs have seen.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow as tf

    _one_deterministic_thread(tf)
    keras.utils.clear_session()
    keras.utils.set_random_seed(run.seed)
    (x, y), test, source = study.task()
    if source["sha256"] != data:
        raise Net2NetError(f"this worker has other data ({source['source']}); let NET2NET_MNIST name the same file")
    seen, held_out = slice(study.images), slice(study.images, study.images + study.held_out)
    test = tuple(values[: study.test_images] for values in test)

    if run.arm == "teacher":
        model, stages = None, [(lambda *_: study.teacher(), study.teacher_epochs)]
    else:
        arm = study.arms[run.arm]
        model, stages = _unpacked(teacher), [(arm.begin, arm.epochs or study.epochs), *arm.then]
    tuning = run.seed in TUNING
    rows = []
    for number, (begin, epochs) in enumerate(stages):
        model = begin(model, run.seed)
        model.optimizer.learning_rate = run.rate
        found = train(
            model,
            (x[seen], y[seen]),
            (x[held_out], y[held_out]) if study.held_out else test,
            epochs=epochs,
            batch_size=study.batch_size,
            seed=(run.seed, 0 if run.arm == "teacher" else 1 + number),
            schedule=run.schedule,
            marks=() if tuning else [mark for mark in study.marks if mark or not number],
            measured=study.measured,
            inspect=None if tuning else study.inspect,
            label=str(run) if sys.stderr.isatty() else None,
        )
        done = rows[-1] if rows else {"update": 0, "examples": 0, "seconds": 0.0}
        rows += [
            row | {key: round(row[key] + amount, 3) for key, amount in done.items() if key in COUNTED} for row in found
        ]
    # What a study without accuracies ends with has a column of its own.
    judged = ("test_accuracy",) if study.goal == "val_accuracy" else ("test_accuracy", "test_loss")
    rows = [row | dict.fromkeys(judged) for row in rows]
    if not tuning:  # what chooses does not look at the test images
        result = model.evaluate(*test, batch_size=500, verbose=0, return_dict=True)
        rows[-1] |= {name: _rounded(result, name.removeprefix("test_")) for name in judged}
    return rows, _packed(model) if run.arm == "teacher" else None


def _rounded(result, key):
    """A measured value as it is recorded, None if the model does not measure it."""
    return round(result[key], 6) if key in result else None


def _packed(model):
    """A model as the bytes of a .keras file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        return path.read_bytes()


def _unpacked(raw):
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        path.write_bytes(raw)
        return keras.models.load_model(path)


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


def fingerprint(study, data, versions):
    """What must be the same for rows to stand in one file; `data` is the images' checksum."""
    return digest({"settings": study.numbers(), "data": data, "versions": versions})


def _versions():
    names = ("keras", "tensorflow", "numpy")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names}


def _commit():
    """The commit the code is at, with "-dirty" when the code differs from it."""

    def git(*words):
        process = subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, check=True)
        return process.stdout.strip()

    try:
        changes = git("status", "--porcelain", "--", "helpers", "benchmarks")
        return git("rev-parse", "HEAD") + ("-dirty" if changes else "")
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


# ---------------------------------------------------------------- what was recorded


def write_results(rows, record, folder, columns=None):
    """Write measurements as a CSV, and what made them as a JSON beside it.

    Parameters
    ----------
    rows : list of dict
        One for each measurement.
    record : dict
        ``"study"`` names the files; "command" and whatever else tells how the rows were made. Commit, date, machine and
        versions are those of now, unless they are given.
    folder : path
    columns : list of str, optional
        Their order in the CSV; that of the first row by default.

    Returns
    -------
    dict
        What the JSON holds; with the CSV's checksum, by which `load_results` knows that the two belong together.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    raw = text.getvalue().encode()
    now = {"commit": [_commit()], "date": datetime.date.today().isoformat(), "machines": [_machine()]}
    record = (
        {"study": record["study"]}
        | now
        | record
        | {"versions": _versions(), "csv_sha256": hashlib.sha256(raw).hexdigest()}
    )
    write_whole(Path(folder, f"{record['study']}.csv"), raw)
    write_whole(Path(folder, f"{record['study']}.json"), (json.dumps(record, indent=2) + "\n").encode())
    return record


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
        commit, versions, machines, data and the study's definition.

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


def _recorded(name, folder, fingerprint):
    """What the CSV and the JSON of a study hold already: whole seeds, to which others may be added."""
    path = Path(folder, f"{name}.csv")
    if not path.exists():
        return {}
    record = dict(load_results(name, folder).attrs)
    if record["fingerprint"] != fingerprint:
        raise Net2NetError(
            f"{path} was recorded with other settings, data or library versions than those of now, and results "
            "must not mix; go back to those, or move it and its JSON away"
        )
    return record | {"rows": list(csv.DictReader(io.StringIO(path.read_text())))}


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
    return command("helpers.experiments", __doc__.split("\n")[0], STUDIES, run_study, argv)


def command(module, words, studies, record, argv=None):
    """The command line of some studies, which `record` records as `run_study` does; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=words)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the studies")
    run = commands.add_parser("run", help="run a study, or go on with it")
    run.add_argument("study")
    run.add_argument("--seeds", type=int, help="number of seeds")
    run.add_argument("--jobs", type=int, default=1, help="runs at a time, each on one thread")
    run.add_argument("--scheduler", help="address of a Dask scheduler, whose workers do the runs")
    run.add_argument("--quick", action="store_true", help="a tiny form, kept apart from the recorded results")
    run.add_argument("--out", type=Path, help="folder to write to (default: results, or results/.quick)")
    given = parser.parse_args(argv)
    if given.command == "list":
        for study in studies.values():
            print(f"{study.name}: {study.question}\n    arms: {', '.join(study.arms)}")
        return 0
    if given.study not in studies:
        print(f"There is no study {given.study!r}; there are: {', '.join(studies)}.", file=sys.stderr)
        return 2
    if given.jobs < 1 or (given.seeds is not None and given.seeds < 1):
        print("--seeds and --jobs must be at least 1.", file=sys.stderr)
        return 2
    study = studies[given.study].quick() if given.quick else studies[given.study]
    results = (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / "results"
    out = given.out or (results / ".quick" if given.quick else results)
    told = f"python -m {module} run {study.name} --seeds {given.seeds or study.seeds}"
    told += (" --quick" if given.quick else "") + f" --jobs {given.jobs}"
    try:
        failures = record(study, seeds=given.seeds, jobs=given.jobs, scheduler=given.scheduler, out=out, command=told)
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
