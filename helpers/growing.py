"""Growing within a training run: stages of training, with growth between them."""

import json
import os
import random
import warnings
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import keras
import numpy as np

from helpers.checks import Net2NetError
from helpers.deeper import net2deeper_net
from helpers.models import net2wider_net
from helpers.proof import check_models

Stage = tuple[int, dict[str, Any]]


def grow_and_fit(
    model: keras.Model, stages: Sequence[Stage], x: Any, y: Any = None, *, folder: str | Path | None = None, **fit: Any
) -> tuple[keras.Model, dict[str, list[float]]]:
    """Train a model in stages, and let it grow between them.

    Parameters
    ----------
    model : keras.Model
        A compiled model, of which the first stage begins. Its training changes it, as `fit` does; growing does not.
    stages : list of (int, dict)
        The epochs of each stage, and how the model grows before them: the arguments of `net2wider_net`, such as
        ``{"widths": 2}``, or of `net2deeper_net`, such as ``{"after": "hidden"}``; ``{}`` for no growth.
    x, y
        What the model is trained on, as for `fit`.
    folder : str or Path, optional
        Where to keep the model and the history after each epoch. The same call goes on from there, in the middle of a
        stage too.
    **fit
        Further arguments of `fit`, such as `validation_data`, `batch_size`, `callbacks` and `verbose`. Callbacks begin
        again with each stage, so `EarlyStopping` ends a stage, not the run.

    Returns
    -------
    model : keras.Model
        As grown and trained last.
    history : dict
        What `fit` measured, a list for each name with one entry for each epoch of all stages (NaN where it was not
        measured), and ``"stage"``, the number of the stage of each.

    Raises
    ------
    Net2NetError
        Before any training: if the model is not compiled, a stage is not (epochs, how to grow), the model cannot grow
        so in one of the stages, or `folder` has a run of other stages.

    Examples
    --------
    >>> hidden = keras.layers.Dense(8, "relu", name="hidden")
    >>> model = keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1, name="end")])
    >>> model.compile("adam", "mse")
    >>> x, y = keras.ops.ones((32, 4)), keras.ops.ones((32, 1))
    >>> stages = [(2, {}), (1, {"widths": 2}), (1, {"after": "hidden"})]
    >>> model, history = grow_and_fit(model, stages, x, y, verbose=0)
    >>> [layer.name for layer in model.layers], history["stage"]
    (['hidden', 'hidden_deeper', 'end'], [0, 0, 1, 2])

    References
    ----------
    Chen et al. 2016, section 1: growing as part of a training; Shen et al. 2022, "Staged Training".
    """
    check_models(model=model)
    if not model.compiled:
        raise Net2NetError(f"model: {model.name!r} is not compiled, so that it cannot be trained; call compile first")
    if reserved := sorted({"epochs", "initial_epoch"} & set(fit)):
        raise Net2NetError(f"{reserved[0]}: expected none, since the stages count the epochs; got {fit[reserved[0]]!r}")
    stages = [_checked(i, stage) for i, stage in enumerate(stages)]
    run = _Run(stages, Path(folder) if folder is not None else None)
    model = run.resumed(model)
    growths = {i: how for i, (_, how) in enumerate(stages) if how and (i > run.stage or not run.grown)}
    _rehearse(model, growths)
    for i, (epochs, _) in enumerate(stages):
        if i < run.stage:
            continue
        if i > run.stage or not run.grown:
            model = _grown(i, model, growths[i]) if i in growths else model
            run.begin(i)
        if (left := epochs - run.done) > 0:
            first = len(run.history["stage"])
            callbacks = [*keras.tree.flatten(fit.get("callbacks") or []), _Keep(run)]
            model.fit(x, y, initial_epoch=first, epochs=first + left, **fit | {"callbacks": callbacks})
            run.end(model, epochs)
    return model, run.history


def _checked(i, stage):
    """A stage, or what is wrong with it."""
    try:
        epochs, how = stage
        good = isinstance(epochs, Integral) and not isinstance(epochs, bool) and epochs >= 0 and isinstance(how, dict)
    except (TypeError, ValueError):
        good = False
    if not good:
        raise Net2NetError(f"stages: expected (epochs, how to grow) such as (5, {{'widths': 2}}), got {stage!r} at {i}")
    if how and ("widths" in how) == ("after" in how):
        raise Net2NetError(f"stages: expected either 'widths' or 'after' in how to grow, got {how!r} at {i}")
    return int(epochs), how


def _rehearse(model, growths):
    """Let the model grow through all stages before any training, since a late stage that fails would waste it."""
    state = random.getstate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each growth warns again when it comes
        for i, how in growths.items():
            model = _grown(i, model, how)
    random.setstate(state)


def _grown(i, model, how):
    grow = net2wider_net if "widths" in how else net2deeper_net
    try:
        return grow(model, **how)
    except (TypeError, Net2NetError) as error:
        raise Net2NetError(f"stages: {grow.__name__} cannot take {how!r} at {i}: {error}") from error


class _Run:
    """How far a run has come, and what it measured."""

    def __init__(self, stages, folder):
        self.stages, self.folder = stages, folder
        self.stage, self.grown, self.done = 0, False, 0
        self.history = {"stage": []}

    def begin(self, stage):
        self.stage, self.grown, self.done = stage, True, 0

    def resumed(self, model):
        """The model that is kept in the folder, or the one given."""
        if self.folder is None:
            return model
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Net2NetError(f"folder: {self.folder} cannot be made: {error}") from error
        if not (self.folder / "run.json").exists():
            return model
        kept = json.loads((self.folder / "run.json").read_text())
        if kept["stages"] != json.loads(json.dumps(self.stages, default=str)):
            raise Net2NetError(
                f"folder: {self.folder} has a run of the stages {kept['stages']}, not of {self.stages}; name another"
            )
        self.stage, self.done, self.grown, self.history = kept["stage"], kept["done"], True, kept["history"]
        return keras.saving.load_model(self.folder / kept["model"])

    def keep(self, model, logs):
        """Note an epoch; what is kept is replaced only when it is whole."""
        self.done += 1
        seen = len(self.history["stage"])
        for name in {*self.history, *logs} - {"stage"}:
            values = self.history.setdefault(name, [np.nan] * seen)
            values.append(np.asarray(logs.get(name, np.nan), "float64").tolist())
        self.history["stage"].append(self.stage)
        self._write(model)

    def end(self, model, epochs):
        """Note a stage as ended, also by a callback, with the weights that callbacks leave at its end."""
        if self.done:
            self.done = epochs
            self._write(model, "_end")

    def _write(self, model, suffix=""):
        if self.folder is None:
            return
        name = f"model_{len(self.history['stage'])}{suffix}.keras"
        model.save(self.folder / name)
        kept = {"stages": self.stages, "stage": self.stage, "done": self.done, "history": self.history, "model": name}
        (self.folder / "run.json.part").write_text(json.dumps(kept, default=str))
        os.replace(self.folder / "run.json.part", self.folder / "run.json")
        for old in self.folder.glob("model_*.keras"):
            if old.name != name:
                old.unlink()


class _Keep(keras.callbacks.Callback):
    """Notes each epoch of a run."""

    def __init__(self, run):
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch, logs=None):
        self.run.keep(self.model, logs or {})
