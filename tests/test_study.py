"""Studies of trajectories: what they cost, that branches are full runs, and that the recorder loses nothing."""

import dataclasses
import json
import re

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from helpers import measures, tasks
from helpers.checks import Net2NetError
from helpers.experiments import ROOT, load_results
from helpers.networks import small_gpt
from helpers.study import recorder
from helpers.study.__main__ import main
from helpers.study.costs import multiply_adds
from helpers.study.language import FACTOR, FRONTIER, LANGUAGE, LANGUAGE_DEEPER, LANGUAGE_WIDER
from helpers.study.trajectories import TUNING, Line, Start, Trajectories, full_rates, run_line, starts
from helpers.study.updates import trainer

# Networks so small that compiling them is all that they cost.
TINY = dataclasses.replace(
    LANGUAGE_WIDER.quick(),
    arms={
        "scratch": Start("from scratch", (24, 1)),
        "small": Start("from scratch, small", (12, 1)),
        **{name: LANGUAGE_WIDER.quick().arms[name] for name in ("noise fresh", "weights carry", "randompad fresh")},
        **{name: LANGUAGE_DEEPER.quick().arms[name] for name in ("copy carry", "stacking fresh")},
        **{name: FACTOR.quick().arms[name] for name in ("x3", "x2 x2")},
    },
    budgets=(1, 2),
    warmup=3,
)

# ---------------------------------------------------------------- costs


@pytest.mark.parametrize(("width", "blocks"), [(12, 1), (48, 2)])
def test_multiply_adds_of_a_gpt_are_those_counted_by_hand(width, blocks):
    length, characters = 64, 96
    block = 4 * width**2 + 2 * 4 * width**2  # queries, keys, values and what joins heads; the layer within and back
    attention = 2 * length**2 * width  # each place with each, once for their products and once for their sum
    expected = length * (blocks * block + characters * width) + blocks * attention
    assert multiply_adds(small_gpt(width, blocks)) == expected


def products(program, codes):
    """Multiplications in the matrix products of a function as TensorFlow compiles it."""
    compiled = tf.function(program, jit_compile=True).experimental_get_compiler_ir(codes)(stage="hlo")
    total = 0
    for out, left, dims in re.findall(
        r"= f32\[([\d,]*)\]\S* dot\(f32\[([\d,]*)\].*?lhs_contracting_dims={(.*?)}", compiled
    ):
        size, sizes, summed = ([int(each) for each in found.split(",")] for found in (out, left, dims))
        total += np.prod(size) * np.prod([sizes[dim] for dim in summed])
    return total


def test_tensorflow_compiles_as_many_and_three_times_as_many_for_an_update():
    model, codes = small_gpt(24, 1), tf.zeros((1, 64), "int32")

    def gradients(codes):
        with tf.GradientTape() as tape:
            loss = keras.ops.sum(model(codes) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    assert products(lambda codes: model(codes), codes) == multiply_adds(model)
    assert products(gradients, codes) == 3 * multiply_adds(model)


# ---------------------------------------------------------------- lines


@pytest.fixture(scope="module")
def texts():
    return tasks.code()[:3]


@pytest.fixture(scope="module")
def teacher(texts):
    line = Line("teacher", 0, TINY.teacher_rate, 0, (0.25, 0.5, 1))
    return run_line(TINY, line, texts=texts)


def without_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_a_branch_ends_as_the_full_run_for_its_budget_does(texts):
    """The full run is one call with the rates of all its updates, and knows nothing of branches."""
    rows, left = run_line(TINY, Line("scratch", 0, 0.01, 0, (1, 2)), texts=texts)
    assert left is None
    assert [row["budget"] for row in rows] == [None, 1, 2]
    for row in rows[1:]:
        updates = int(TINY.cost(row["budget"]) / TINY.per_update((24, 1)))
        assert (row["update"], row["characters"]) == (updates, updates * 16 * 64)
        assert row["multiply_adds"] == updates * TINY.per_update((24, 1)) <= TINY.cost(row["budget"])
        keras.utils.set_random_seed(0)
        model = small_gpt(24, 1)
        model.optimizer.build(model.trainable_variables)
        full = trainer(24, 1, 16)
        full.load([*model.trainable_variables, *model.optimizer.variables])
        assert row["val_loss"] < full.loss(texts[1], 128)
        rates = full_rates(0.01, updates, 3, round(0.2 * TINY.cost(row["budget"]) / TINY.per_update((24, 1))))
        full.advance(texts[0], starts(0, 0, updates, 16, len(texts[0]) - 64), rates)
        assert full.loss(texts[1], 128) == pytest.approx(row["val_loss"], abs=2e-6)
        assert full.loss(texts[2], 256) == pytest.approx(row["test_loss"], abs=2e-6)


@pytest.mark.parametrize("arm", "noise fresh,weights carry,randompad fresh,copy carry,stacking fresh,x3".split(","))
def test_a_student_begins_where_its_teacher_is_and_has_the_teacher_on_its_bill(arm, teacher, texts):
    at = next(row for row in teacher[0] if row["budget"] == 0.5)
    rows, _ = run_line(TINY, Line(arm, 0, 0.01, 0.5, (1, 2)), teacher[1], texts)
    for key in ("update", "characters", "multiply_adds", "seconds"):
        assert rows[0][key] == at[key] > 0
    exact = arm not in ("randompad fresh", "stacking fresh")
    assert (rows[0]["val_loss"] == pytest.approx(at["val_loss"], abs=2e-6)) == exact
    each = TINY.per_update(TINY.arms[arm].size)
    for row in rows[1:]:
        own = row["update"] - at["update"]
        assert row["multiply_adds"] == at["multiply_adds"] + own * each
        assert 0 <= TINY.cost(row["budget"]) - row["multiply_adds"] < each  # less than one update is left over
        assert row["val_loss"] < at["val_loss"]


def test_a_student_in_two_steps_trains_its_first_width_for_as_much_as_the_teacher_had(teacher, texts):
    at = next(row for row in teacher[0] if row["budget"] == 0.5)
    (begun, end), _ = run_line(TINY, Line("x2 x2", 0, 0.01, 0.5, (2,)), teacher[1], texts)
    first, last = (TINY.per_update((width, 1)) for width in (24, 48))
    assert begun["multiply_adds"] == at["multiply_adds"] + (begun["update"] - at["update"]) * first
    assert 0 <= TINY.cost(1) - begun["multiply_adds"] < first
    assert begun["val_loss"] < at["val_loss"]
    assert end["multiply_adds"] == begun["multiply_adds"] + (end["update"] - begun["update"]) * last
    assert 0 <= TINY.cost(2) - end["multiply_adds"] < last


def test_a_teacher_is_a_constant_size_whose_rate_does_not_fall(teacher, texts):
    """It begins as the network from scratch of its size, so that both are rivals of one seed."""
    rows, _ = run_line(TINY, Line("small", 0, TINY.teacher_rate, 0, (1,)), texts=texts)
    assert rows[0]["val_loss"] == teacher[0][0]["val_loss"]
    assert rows[1]["update"] == teacher[0][-1]["update"]
    assert rows[1]["val_loss"] != teacher[0][-1]["val_loss"]


def test_tuning_seeds_do_not_look_at_the_test_text(texts):
    rows, _ = run_line(TINY, Line("small", TUNING[0], 0.01, 0, (0.5,)), texts=texts)
    assert [row["test_loss"] for row in rows] == [None, None]


def test_rates_rise_stay_and_fall_to_zero():
    rates = full_rates(0.01, 100, 30, 20)
    assert rates.max() == 0.01
    assert (rates[29:81] == 0.01).all()
    assert rates[0] == pytest.approx(0.01 / 30)
    assert rates[-1] == pytest.approx(0.01 / 20)
    assert (full_rates(0.01, 50, 0, 0) == 0.01).all()


# ---------------------------------------------------------------- the recorder, without training


@pytest.fixture
def fake(monkeypatch):
    """Lines that cost nothing, best at 0.024 for a budget of 1 and at 0.0015 for others; those that are done."""
    done = []

    def run(study, line, teacher, texts):
        done.append(line)
        assert (teacher is not None) == bool(line.grown)
        rows = [{"budget": None, "update": 0, "seconds": 0.0, "val_loss": 4.5}]
        for budget in line.budgets:
            loss = 2 + abs(np.log2(line.rate / (0.024 if budget == 1 else 0.0015))) - 0.01 * line.arm.startswith("weig")
            test = None if line.seed in TUNING else round(loss, 6)
            rows.append({"budget": budget, "update": 9, "seconds": 0.1, "val_loss": round(loss, 6), "test_loss": test})
        return rows, b"a teacher" if line.arm == "teacher" else None

    text = np.zeros(9, "uint8")
    monkeypatch.setattr(tasks, "code", lambda: (text, text, text, {"sha256": "of the text"}))
    monkeypatch.setattr(Trajectories, "run", run)
    monkeypatch.setattr(recorder, "_one_deterministic_thread", lambda tf: None)
    return done


STUDY = dataclasses.replace(LANGUAGE_WIDER, budgets=(1, 2), middle=(2, 0.5), fractions=(0.25, 0.5))


def test_a_sweep_goes_on_until_the_best_lies_inside(fake, tmp_path):
    study = dataclasses.replace(FRONTIER, budgets=(1, 2))
    assert recorder.record(study, seeds=1, out=tmp_path) == []
    record = load_results("frontier", tmp_path).attrs
    for arm in study.arms:
        assert record["chosen"][arm] == {"1": 0.024, "2": 0.0015}
        assert list(record["tried"][arm]["1"]) == ["0.006", "0.012", "0.024", "0.048"]
        assert list(record["tried"][arm]["2"]) == ["0.00075", "0.0015", "0.003", "0.006", "0.012"]
    tried = [line for line in fake if line.seed in TUNING]
    assert len(tried) == len(set(tried)) == 6 * 2 * 7
    assert {line.budgets for line in tried if line.rate > 0.012} == {(1,)}  # only where it is needed
    assert [line for line in fake if line.seed == 0] == [
        Line(arm, 0, rate, 0, (budget,)) for arm in study.arms for budget, rate in ((1, 0.024), (2, 0.0015))
    ]


def test_a_sweep_without_an_end_is_a_failure(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "MOST", 3)
    failures = recorder.record(dataclasses.replace(FRONTIER, budgets=(1,)), seeds=1, out=tmp_path)
    assert failures[0] == "16 x 2: the best of 3 rates is still the last one, 0.024"
    assert not (tmp_path / "frontier.csv").exists()


def test_leaders_are_exact_and_grow_at_all_times_the_others_where_all_are_compared(fake, tmp_path):
    assert recorder.record(STUDY, seeds=1, out=tmp_path) == []
    frame = load_results("language_wider", tmp_path)
    record = frame.attrs
    assert record["leaders"] == ["weights fresh", "weights carry"]
    assert record["chosen"]["weights fresh"] == {"1": 0.024, "2": 0.0015}
    assert record["chosen"]["noise fresh"] == {"2": 0.0015}
    ends = frame[frame["test_loss"].notna() & (frame["arm"] != "teacher")]
    for arm, rows in ends.groupby("arm"):
        found = sorted(zip(rows["budget"], rows["grown"] / rows["budget"], strict=True))
        everywhere = [(budget, part) for budget in (1, 2) for part in STUDY.fractions]
        assert found == (everywhere if arm in record["leaders"] else [STUDY.middle])


def test_more_seeds_later_and_nothing_twice(fake, tmp_path):
    recorder.record(STUDY, seeds=1, out=tmp_path)
    recorder.record(STUDY, seeds=3, out=tmp_path)
    assert len(fake) == len(set(fake))
    assert load_results("language_wider", tmp_path).attrs["seeds"] == [0, 1, 2]
    count = len(fake)
    assert recorder.record(STUDY, seeds=3, out=tmp_path) == []
    assert len(fake) == count


def test_an_interrupted_study_goes_on_and_a_failed_line_leaves_the_others(fake, tmp_path, monkeypatch):
    real = Trajectories.run

    def broken(error):
        def run(study, line, *more):
            if line.arm == "noise carry" and line.seed == 0:
                raise error
            return real(study, line, *more)

        return run

    monkeypatch.setattr(Trajectories, "run", broken(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        recorder.record(STUDY, seeds=2, out=tmp_path)
    monkeypatch.setattr(Trajectories, "run", broken(MemoryError("none left")))
    failures = recorder.record(STUDY, seeds=2, out=tmp_path)
    assert failures[0] == "noise carry, at 0.0015, grown at 1, seed 0: MemoryError: none left"
    assert load_results("language_wider", tmp_path).attrs["seeds"] == [1]
    monkeypatch.setattr(Trajectories, "run", real)
    assert recorder.record(STUDY, seeds=2, out=tmp_path) == []
    assert load_results("language_wider", tmp_path).attrs["seeds"] == [1, 0]
    assert len(fake) == len(set(fake))


def test_damage_and_other_settings_are_told(fake, tmp_path):
    recorder.record(STUDY, seeds=1, out=tmp_path)
    with pytest.raises(Net2NetError, match="other settings, data or library versions"):
        recorder.record(dataclasses.replace(STUDY, warmup=5), seeds=2, out=tmp_path)
    with pytest.raises(Net2NetError, match="other settings, data or library versions"):
        recorder.record(dataclasses.replace(STUDY, budgets=(1, 4)), seeds=2, out=tmp_path)
    (tmp_path / "language_wider.csv").unlink()
    folder = tmp_path / ".runs" / "language_wider"
    left = next(folder.glob("seed0-*-teacher.npz"))
    left.write_bytes(b"x")
    with pytest.raises(Net2NetError, match=r"teacher\.npz is damaged.*seed0-\*"):
        recorder.record(STUDY, seeds=1, out=tmp_path)
    state = left.with_suffix(".json")
    state.write_text(state.read_text().replace("0.1", "0.2"))
    with pytest.raises(Net2NetError, match=r"teacher\.json is damaged: its checksum"):
        recorder.record(STUDY, seeds=1, out=tmp_path)
    for path in (left, state):
        path.unlink()
    assert recorder.record(STUDY, seeds=1, out=tmp_path) == []


def test_where_and_from_which_commit_a_study_runs_changes_no_fingerprint(fake, tmp_path, monkeypatch):
    prints = set()
    for name in ("one", "other"):
        monkeypatch.setattr(recorder, "_commit", lambda name=name: name)
        recorder.record(dataclasses.replace(STUDY, question=name), seeds=1, out=tmp_path / name)
        prints.add(load_results("language_wider", tmp_path / name).attrs["fingerprint"])
    assert len(prints) == 1


# ---------------------------------------------------------------- the command


def test_quick_form_trains_measures_and_records(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recorder, "_one_deterministic_thread", lambda tf: None)
    assert main(["run", "frontier", "--quick", "--out", str(tmp_path)]) == 0
    frame = load_results("frontier", tmp_path)
    assert list(frame.columns) == recorder.COLUMNS
    assert frame["arm"].unique().tolist() == ["16 x 2", "48 x 2"]
    assert frame["budget"].dropna().tolist() == [0.5] * 2
    assert (frame["val_loss"][frame["budget"] == 0.5] < 4.5).all()
    assert frame.attrs["command"] == "python -m helpers.study run frontier --seeds 1 --quick --jobs 1"
    text = (tmp_path / "frontier.json").read_text()
    assert str(tmp_path) not in text
    assert str(ROOT) not in text


def test_studies_are_listed_and_json(capsys):
    assert main(["list"]) == 0
    told = capsys.readouterr().out
    for name, study in LANGUAGE.items():
        assert f"{name}: {study.question}" in told
        assert json.loads(json.dumps(study.definition()))["arms"].keys() == study.arms.keys()


# ---------------------------------------------------------------- what was recorded


RECORDED = [name for name in LANGUAGE if (ROOT / "results" / f"{name}.csv").exists()]
RECORDED = RECORDED or [pytest.param("", marks=pytest.mark.skip(reason="no study of language is recorded yet"))]


@pytest.mark.parametrize("name", RECORDED)
def test_best_rate_of_every_arm_lies_inside_its_sweep(name):
    record = load_results(name, ROOT / "results").attrs
    budgets = {f"{budget:g}" for budget in record["definition"]["budgets"]}
    assert record["chosen"].keys() == record["tried"].keys() == LANGUAGE[name].arms.keys()
    for arm, chosen in record["chosen"].items():
        swept = (
            budgets
            if not LANGUAGE[name].arms[arm].how or arm in record["leaders"]
            else {f"{LANGUAGE[name].middle[0]:g}"}
        )
        assert record["tried"][arm].keys() == swept
        for budget, rates in record["tried"][arm].items():
            means = {float(rate): np.mean(losses) for rate, losses in rates.items()}
            assert chosen[budget] == min(means, key=means.get)
            assert min(means) < chosen[budget] < max(means)


@pytest.mark.parametrize("name", [name for name in RECORDED if name != "optimizer_state"])
def test_recorded_seeds_are_whole_and_cost_what_their_budget_says(name):
    frame, study = load_results(name, ROOT / "results"), LANGUAGE[name]
    assert json.loads(json.dumps(study.definition())) == frame.attrs["definition"]
    ends = frame[frame["test_loss"].notna() & (frame["arm"] != "teacher")]
    counts = ends.groupby("seed").size()
    assert counts.index.tolist() == sorted(frame.attrs["seeds"])
    assert counts.nunique() == 1
    unit = small_gpt(*study.unit)
    cost = ends["budget"] * unit.count_params() / 64 * 3 * multiply_adds(unit)
    each = ends["arm"].map({arm: 48 * multiply_adds(small_gpt(*start.size)) for arm, start in study.arms.items()})
    assert ((cost - ends["multiply_adds"]) / each).between(0, 1, inclusive="left").all()


# ---------------------------------------------------------------- the border


@pytest.fixture
def recorded():
    """Two seeds of two sizes, three of an arm that grew after a quarter and after a half of the budget."""
    constant = pd.DataFrame(
        [
            {"arm": arm, "seed": seed, "grown": 0, "lr": 0.2, "budget": budget, "test_loss": loss}
            for arm, losses in {"24 x 2": (2.0, 2.2), "48 x 2": (2.5, 2.3)}.items()
            for seed, loss in enumerate(losses)
            for budget in (np.nan, 4)
        ]
    )
    constant["test_loss"] = constant["test_loss"].where(constant["budget"] == 4)
    constant.attrs = {
        "tried": {"24 x 2": {"4": {"0.1": [9, 9], "0.2": [3, 1]}}, "48 x 2": {"4": {"0.1": [1, 2], "0.2": [2, 8]}}},
        "definition": {"budgets": [4]},
    }
    ways = {("noise", 1): (2.1, 2.3, 7.0), ("noise", 2): (2.4, 2.4, 7.0), ("teacher", 0): (9.0, 9.0, 9.0)}
    grown = pd.DataFrame(
        [
            {"arm": arm, "seed": seed, "grown": at, "lr": 0.1, "budget": 4, "test_loss": loss}
            for (arm, at), losses in ways.items()
            for seed, loss in enumerate(losses)
        ]
    )
    grown.attrs = {"definition": {"arms": {"noise": {"size": [48, 2]}}, "teacher": [24, 2]}}
    return constant, grown


def test_the_frontier_is_chosen_by_tuning_seeds(recorded):
    assert measures.frontier_sizes(recorded[0]) == {4: "48 x 2"}  # though the recorded seeds say otherwise


def test_border_pairs_seeds_and_tells_how_sure_it_is(recorded):
    table = measures.border(*recorded)
    assert set(table["arm"]) == {"scratch", "continued teacher", "frontier", "noise"}
    early, late = (table[table["fraction"] == at].iloc[0] for at in (0.25, 0.5))
    assert (early["budget"], early["arm"], early["lr"], early["seeds"]) == (4, "noise", 0.1, 2)
    assert early["loss"].mean == pytest.approx(2.2)  # the third seed has no rivals
    assert early["continued teacher"] == pytest.approx((0.1, 0.1, 0.1))
    half = 12.7062 * 0.1  # Student's t of one degree of freedom; the differences are -0.1 and 0.1
    assert late["scratch"] == pytest.approx((0, -half, half), rel=1e-4, abs=1e-9)
    assert late["frontier"] == late["scratch"]
    own = table[table["arm"] == "continued teacher"].iloc[0]
    assert own["loss"].mean == pytest.approx(2.1)
    assert own["scratch"].mean == pytest.approx(-0.3)


def test_one_seed_has_no_interval(recorded):
    constant, grown = recorded
    one = grown[grown["seed"] == 0]
    one.attrs = grown.attrs
    found = measures.border(constant, one).set_index(["arm", "fraction"])["scratch"]["noise", 0.25]
    assert found.mean == pytest.approx(-0.4)
    assert np.isnan(found[1:]).all()


def test_anytime_reads_one_way_at_every_budget():
    """Up to where it grows, it is the continued teacher; the size that is best everywhere has no distance."""
    losses = {"24 x 2": (2.0, 1.8, 1.7), "48 x 2": (2.5, 1.9, 1.5)}
    constant = pd.DataFrame(
        [
            {"arm": arm, "seed": 0, "budget": budget, "test_loss": loss}
            for arm, each in losses.items()
            for budget, loss in zip((1, 2, 4), each, strict=True)
        ]
    )
    tried = {
        arm: {f"{budget}": {"0.1": [loss, loss]} for budget, loss in zip((1, 2, 4), each, strict=True)}
        for arm, each in losses.items()
    }
    constant.attrs = {"tried": tried, "definition": {"budgets": [1, 2, 4]}}
    grown = pd.DataFrame(
        [
            {"arm": "noise", "seed": 0, "grown": 1, "budget": budget, "test_loss": loss}
            for budget, loss in ((2, 1.9), (4, 1.6))
        ]
    )
    grown.attrs = {"definition": {"arms": {"noise": {"size": [48, 2]}}, "teacher": [24, 2]}}
    table = measures.anytime(constant, grown, "noise", 1)
    assert table["mean"].to_dict() == pytest.approx({"24 x 2": 0.2 / 3, "48 x 2": 0.2, "noise, grown at 1": 0.2 / 3})
    assert table["largest"].to_dict() == pytest.approx({"24 x 2": 0.2, "48 x 2": 0.5, "noise, grown at 1": 0.1})
