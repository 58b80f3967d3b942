"""What records studies of trajectories: sweeps of rates until the best lies inside, then seed after seed."""

import os
from pathlib import Path

import numpy as np

from helpers import tasks
from helpers.checks import Net2NetError
from helpers.experiments import (
    _commit,
    _machine,
    _one_deterministic_thread,
    _recorded,
    _versions,
    _workers,
    write_results,
)
from helpers.study.states import States, digest
from helpers.study.trajectories import TUNING, Line

__all__ = ["record"]

COLUMNS = [
    *("study", "arm", "seed", "lr", "grown", "budget", "update", "characters", "multiply_adds", "seconds"),
    *("val_loss", "test_loss"),
]
EXACT = (None, "net2deeper", "fresh")  # `init` of students that begin as their teacher
MOST = 8  # rates of a sweep; one that needs more is not what its study takes it for


def record(study, *, seeds=None, jobs=1, scheduler=None, out, command=""):
    """Do all lines of a study of trajectories that are not done yet, and write its CSV and JSON.

    Parameters
    ----------
    study : Trajectories
    seeds, jobs, scheduler, out, command
        As for `helpers.experiments.run_study`.

    Returns
    -------
    list of str
        One line for each run that failed; the others are done and kept.

    Raises
    ------
    Net2NetError
        If the state of an earlier run is damaged, if that or what was recorded was made under other settings, or if
        the scheduler does not answer.
    """
    with _workers(jobs, scheduler) as parallel:
        return _Recorder(study, range(seeds or study.seeds), Path(out), command, parallel).record()


class _Recorder:
    """A study on its way: what is done, what is to do, and the files that hold it."""

    def __init__(self, study, seeds, out, command, parallel):
        self.study, self.seeds, self.out, self.command, self.parallel = study, seeds, out, command, parallel
        self.source = tasks.code()[-1]
        self.states = States(out / ".runs" / study.name, _commit(), ".npz")
        self.made_with = {"settings": study.numbers(), "data": self.source["sha256"], "versions": _versions()}
        own = {key: getattr(study, key) for key in ("budgets", "rates", "fractions", "middle")}
        own["arms"] = {name: start[1:] for name, start in study.arms.items()}
        self.fingerprint = digest(self.made_with | {"own": own})
        self.recorded = _recorded(study.name, out, self.fingerprint)
        self.done, self.failures = {}, []

    def record(self):
        """Sweep, choose, and do the seeds that are not recorded; what failed."""
        study = self.study
        if self.recorded:
            self.chosen = {
                arm: {float(b): lr for b, lr in each.items()} for arm, each in self.recorded["chosen"].items()
            }
            self.leaders, self.tried = self.recorded["leaders"], self.recorded["tried"]
        else:
            self.tried, self.chosen, self.leaders = {}, {}, []
            if study.teacher:
                self._do([self._teacher(seed) for seed in TUNING])
            grown = [arm for arm, start in study.arms.items() if start.how]
            others = [arm for arm in study.arms if arm not in grown]
            self._sweep(dict.fromkeys(others, study.budgets) | dict.fromkeys(grown, study.middle[:1]))
            self.leaders = self._lead(grown)
            self._sweep(dict.fromkeys(self.leaders, study.budgets))
        if self.failures:
            return self.failures
        self._write_whole_seeds()
        for seed in self.seeds:
            if seed in self.recorded.get("seeds", []):
                continue
            if study.teacher:
                self._do([self._teacher(seed)])
            self._do(self._lines(seed))
            self._write_whole_seeds()
        return self.failures

    # what is to do

    def _teacher(self, seed):
        study = self.study
        fractions = {study.middle[1]} if seed in TUNING else {*study.fractions, study.middle[1]}
        marks = {round(budget * fraction, 6) for budget in study.budgets for fraction in fractions}
        return Line("teacher", seed, study.teacher_rate, 0, tuple(sorted(marks)))

    def _line(self, arm, seed, rate, fraction, budgets):
        """The lines of an arm at one rate: one from scratch; grown, one for each place where the teacher ends."""
        if not self.study.arms[arm].how:
            return [Line(arm, seed, rate, 0, tuple(sorted(budgets)))]
        return [Line(arm, seed, rate, round(budget * fraction, 6), (budget,)) for budget in budgets]

    def _lines(self, seed):
        """All lines of a seed; those that differ only in their budgets are one."""
        found = {}
        for arm in self.study.arms:
            fractions = self.study.fractions if arm in self.leaders else self.study.middle[1:]
            for fraction in fractions or (None,):
                for budget, rate in self.chosen[arm].items():
                    for line in self._line(arm, seed, rate, fraction, (budget,)):
                        found.setdefault(line[:4], set()).add(budget)
        return [Line(*key, tuple(sorted(budgets))) for key, budgets in found.items()]

    def _sweep(self, wanted):
        """Choose each arm's rate for each of some budgets; go on at a sweep's end until the best lies inside."""
        rates = {(arm, budget): set(self.study.rates) for arm, budgets in wanted.items() for budget in budgets}
        if len(self.study.rates) == 1:
            for arm, budgets in wanted.items():
                self.chosen[arm] = dict.fromkeys(budgets, self.study.rates[0])
            return
        todo = dict(rates)
        while todo:
            self._do(self._trials(todo))
            losses = self._losses()
            todo = {}
            for (arm, budget), tried in rates.items():
                found = losses.get((arm, budget), {})
                if any(len(found.get(rate, {})) < len(TUNING) for rate in tried):
                    continue  # it failed, and that is told
                means = {rate: _mean(found[rate].values()) for rate in sorted(tried)}
                best = min(means, key=means.get)
                self.chosen.setdefault(arm, {})[budget] = best
                self.tried.setdefault(arm, {})[f"{budget:g}"] = {
                    f"{rate:g}": [found[rate][seed] for seed in TUNING] for rate in means
                }
                further = {best / 2} if best == min(means) else {best * 2} if best == max(means) else set()
                if further and len(tried) == MOST:
                    self.failures.append(f"{arm}: the best of {MOST} rates is still the last one, {best:g}")
                elif further:
                    todo[arm, budget] = further
                    rates[arm, budget] = tried | further

    def _trials(self, todo):
        """The lines that try rates: {(arm, budget): rates}."""
        budgets = {}
        for (arm, budget), rates in todo.items():
            for rate in sorted(rates):
                budgets.setdefault((arm, rate), []).append(budget)
        fraction = self.study.middle[1] if self.study.middle else None
        return [
            line
            for (arm, rate), those in budgets.items()
            for seed in TUNING
            for line in self._line(arm, seed, rate, fraction, those)
        ]

    def _losses(self):
        """What was tried: {(arm, budget): {rate: {seed: val_loss}}}."""
        losses = {}
        for line, state in self.done.items():
            if line.seed in TUNING and line.arm != "teacher":
                for row in state["rows"][1:]:
                    seeds = losses.setdefault((line.arm, row["budget"]), {}).setdefault(line.rate, {})
                    seeds[line.seed] = row["val_loss"]
        return losses

    def _lead(self, grown):
        """Of the exact arms, the best with a fresh optimizer and the best whose optimizer goes on."""
        budget, leaders = self.study.middle[:1], []
        means = {arm: min(map(_mean, self.tried[arm][f"{budget[0]:g}"].values())) for arm in grown if arm in self.tried}
        for optimizer in ("fresh", "carry"):
            hows = {arm: self.study.arms[arm].how for arm in grown if arm in self.chosen}
            exact = [arm for arm, how in hows.items() if how["optimizer"] == optimizer and how.get("init") in EXACT]
            leaders += [min(exact, key=lambda arm: means.get(arm, 0))] if exact else []
        return leaders

    # what is done

    def _do(self, lines):
        """Do those of the lines that are not done; each is kept as soon as it ends."""
        from joblib import delayed
        from tqdm import tqdm

        self.done |= {line: state for line in lines if (state := self.states.read(line.file(), self._print(line)))}
        todo = [line for line in lines if line not in self.done]
        teachers, calls = {}, []
        for line in todo:
            if line.grown and line.seed not in teachers:
                teacher = self._teacher(line.seed)
                teachers[line.seed] = self.states.left(teacher.file()) if teacher in self.done else None
            if line.grown and not teachers[line.seed]:
                self.failures.append(f"{line}: its teacher is missing; see the teacher's own failure")
            else:
                teacher = teachers[line.seed] if line.grown else None
                calls.append(delayed(_run)(self.study, line, teacher, self.source["sha256"]))
        done = self.parallel(calls) if calls else ()
        for line, state, left, error in tqdm(done, self.study.name, len(calls), disable=not calls, unit="line"):
            if error:
                self.failures.append(f"{line}: {error}")
            else:
                self.done[line] = self.states.keep(line.file(), self._print(line), state, left)

    def _print(self, line):
        start = self.study.arms.get(line.arm)
        return digest(self.made_with | {"start": start[1:] if start else "teacher"})

    def _write_whole_seeds(self):
        """Write the CSV and the JSON if there are seeds now of which every line is done."""
        before, whole, states = self.recorded.get("seeds", []), [], []
        for seed in self.seeds:
            lines = ([self._teacher(seed)] if self.study.teacher else []) + self._lines(seed)
            if seed not in before and all(line in self.done for line in lines):
                whole.append(seed)
                states += [(line, self.done[line]) for line in lines]
        if not whole:
            return
        rows = [
            {"study": self.study.name, "arm": line.arm, "seed": line.seed, "lr": line.rate, "grown": line.grown} | row
            for line, state in states
            for row in state["rows"]
        ]
        machines = self.recorded.get("machines", []) + [state["machine"] for _, state in states]
        record = {
            "study": self.study.name,
            "definition": self.study.definition(),
            "seeds": before + whole,
            "chosen": {arm: {f"{b:g}": rate for b, rate in each.items()} for arm, each in self.chosen.items()},
            "leaders": self.leaders,
            "tried": self.tried,
            "command": self.command,
            "commit": sorted({*self.recorded.get("commit", []), *(state["commit"] for _, state in states)}),
            "date": max(state["date"] for _, state in states),
            "machines": [machine for i, machine in enumerate(machines) if machine not in machines[:i]],
            "data": self.source,
            "fingerprint": self.fingerprint,
        }
        rows = self.recorded.get("rows", []) + rows
        self.recorded = write_results(rows, record, self.out, COLUMNS) | {"rows": rows}


def _mean(losses):
    return float(np.nan_to_num(np.mean(list(losses)), nan=np.inf))


def _run(study, line, teacher, data):
    """One line, in whatever process. A failure is returned, so that it does not take other lines with it."""
    try:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import tensorflow as tf

        _one_deterministic_thread(tf)
        *texts, source = tasks.code()
        if source["sha256"] != data:
            raise Net2NetError("this worker has another text; install the same version of Keras")
        rows, left = study.run(line, teacher, texts)
    except Exception as error:
        return line, None, None, f"{type(error).__name__}: {error}"
    return line, {"arm": line.arm, "seed": line.seed, "rows": rows, "machine": _machine()}, left, None
