"""Growing within a training run: stages, one history, early stopping, and going on after an interruption."""

import functools

import keras
import numpy as np
import pytest
from keras import layers as kl

from helpers import Net2NetError, grow_and_fit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 4)).astype("float32")
Y = np.sin(X).sum(1, keepdims=True)
STAGES = [(2, {}), (3, {"widths": 2, "seed": 0}), (2, {"after": "hidden"})]


def model():
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((4,)), kl.Dense(6, "relu", name="hidden"), kl.Dense(1, name="end")])
    made.compile("adam", "mse", metrics=["mae"], run_eagerly=True)  # a dozen updates are not worth tracing
    return made


def run(**how):
    how = {"stages": STAGES, "verbose": 0, "shuffle": False} | how
    return grow_and_fit(how.pop("model", None) or model(), how.pop("stages"), X, Y, **how)


def test_stages_make_one_history():
    seen = []
    epochs = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
    grown, history = run(callbacks=[epochs], validation_data=(X, Y))
    assert [layer.name for layer in grown.layers] == ["hidden", "hidden_deeper", "end"]
    assert grown.get_layer("hidden").units == 12
    assert history["stage"] == [0, 0, 1, 1, 1, 2, 2]
    assert set(history) == {"loss", "mae", "val_loss", "val_mae", "stage"}
    assert {len(values) for values in history.values()} == {7}
    assert seen == list(range(7))
    assert int(grown.optimizer.iterations) == 7 * 2


def test_a_stage_of_no_epochs_only_grows():
    grown, history = run(stages=[(1, {}), (0, {"widths": 3, "seed": 0})])
    assert grown.get_layer("hidden").units == 18
    assert history["stage"] == [0]


def test_early_stopping_ends_a_stage():
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=1, min_delta=1e9)
    grown, history = run(stages=[(5, {}), (5, {"widths": 2, "seed": 0})], callbacks=[stop])
    assert history["stage"] == [0, 0, 1, 1]
    assert grown.get_layer("hidden").units == 12


whole_run = functools.cache(run)


@pytest.mark.parametrize("stopped", [1, 4, 5])
def test_an_interrupted_run_goes_on(tmp_path, stopped):
    class Interruption(Exception):
        pass

    def interrupt(epoch, logs):
        if epoch == stopped:
            raise Interruption

    whole, history = whole_run()
    with pytest.raises(Interruption):
        run(folder=tmp_path, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)])
    assert len(list(tmp_path.iterdir())) == 2
    resumed, again = run(folder=tmp_path)
    assert again.keys() == history.keys()
    for name, values in history.items():
        np.testing.assert_allclose(again[name], values, rtol=1e-5)
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    finished, same = run(folder=tmp_path)  # nothing is left to do
    assert same == again
    np.testing.assert_array_equal(finished(X), resumed(X))


def test_a_stage_that_a_callback_ended_stays_ended(tmp_path):
    def early():
        stop = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9, restore_best_weights=True)
        return run(stages=[(5, {}), (5, {"widths": 2, "seed": 0})], callbacks=[stop], folder=tmp_path)

    (grown, history), (again, same) = early(), early()
    assert same == history
    np.testing.assert_array_equal(again(X), grown(X))


def test_arguments_as_fit_takes_them(tmp_path):
    made = model()
    made.compile("adam", "mse", metrics=[keras.metrics.F1Score(average=None)])  # measures one number for each class
    stages = [(np.int64(1), {}), (2, {"widths": {"hidden": np.int64(9)}, "seed": 0})]
    how = {"validation_data": (X, Y), "validation_freq": 2, "callbacks": keras.callbacks.TerminateOnNaN()}
    grown, history = run(model=made, stages=stages, folder=tmp_path / "new" / "folder", **how)
    assert grown.get_layer("hidden").units == 9
    assert {len(values) for values in history.values()} == {3}
    assert np.isnan(history["val_loss"][0])
    assert len(history["f1_score"][0]) == 1


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Net2NetError, match="folder: .* cannot be made"):
        run(folder=tmp_path / "file")


def test_a_folder_keeps_one_run(tmp_path):
    run(folder=tmp_path, stages=[(1, {})])
    with pytest.raises(Net2NetError, match="folder: .* has a run of the stages"):
        run(folder=tmp_path)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"stages": [5]}, r"stages: expected \(epochs, how to grow\) .*, got 5 at 0"),
        ({"stages": [(1, {}), (1.5, {})]}, "got .* at 1"),
        ({"stages": [(-1, {})]}, "stages: expected"),
        ({"stages": [(1, {"wider": 2})]}, "stages: expected either 'widths' or 'after'"),
        ({"stages": [(1, {"widths": 2, "after": "hidden"})]}, "stages: expected either 'widths' or 'after'"),
        ({"stages": [(1, {"widths": 2, "color": "red"})]}, "stages: net2wider_net cannot take .* at 0: .*color"),
        ({"stages": [(1, {"widths": {"hidde": 8}})]}, "at 0: .*no layer 'hidde'"),
        ({"epochs": 3}, "epochs: expected none, since the stages count the epochs"),
        ({"model": keras.Sequential([keras.Input((4,)), kl.Dense(1)])}, "is not compiled"),
    ],
)
def test_what_cannot_be_done_is_told(how, told):
    with pytest.raises(Net2NetError, match=told):
        run(**how)


def test_a_late_stage_that_cannot_be_is_told_before_any_training(recwarn):
    teacher = model()
    before = teacher.get_weights()
    for late in ({"widths": {"hidden": 11}}, {"after": "hidden_deeper_2"}):
        with pytest.raises(Net2NetError, match="stages: net2.* cannot take .* at 2: .*hidden"):
            run(model=teacher, stages=[(1, {}), (1, {"widths": 2}), (1, late)])
    for old, new in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
