"""The page's mathematics, book/web/net2net.js, against helpers.weights: the same arrays, the same draws."""

import json

import make_fixture
import numpy as np
import pytest
from address import ROOT

from helpers.show import explore
from helpers.weights import SPLITS

pytestmark = pytest.mark.browser
CASES = json.loads(make_fixture.FIXTURE.read_text(encoding="utf-8"))
# Placing, sharing and whole numbers are exact. A normal draw scales a whole number by a table of the ziggurat, which
# the page computes by a recurrence over 255 layers; noise that cancels has the size of a mean, summed in another order.
DRAWN = 1e-13


def test_fixture_is_what_helpers_compute():
    stale = "run `python tests/make_fixture.py`"
    fresh = json.loads(make_fixture.fixture())
    assert fresh.keys() == CASES.keys(), stale
    for name in fresh:
        assert_close(fresh[name], CASES[name], 1e-15, stale)


def assert_close(found, wanted, relative, message=""):
    """Compare nested lists and dicts: numbers within `relative` of the largest beside them, all else exactly."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), message
        for key in wanted:
            assert_close(found[key], wanted[key], relative, f"{message} {key}")
    elif isinstance(wanted, list) and wanted and all(isinstance(part, int | float) for part in wanted):
        np.testing.assert_allclose(found, wanted, rtol=relative, atol=relative * np.abs(wanted).max(), err_msg=message)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), message
        for one, other in zip(found, wanted, strict=True):
            assert_close(one, other, relative, message)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=relative, abs=1e-14), message
    else:
        assert found == wanted, message


@pytest.fixture(scope="module")
def page(browser):
    context = browser.new_context()
    page = context.new_page()
    page.add_script_tag(path=ROOT / "book" / "web" / "net2net.js")
    yield page
    context.close()


def drawn(case):
    given = {"split": "noise", "init": "net2wider", "noise": 0, **case["options"]}
    return given["noise"] or given["init"] == "randompad" or given["split"] == "noise"


@pytest.mark.parametrize("case", CASES["draws"], ids=lambda case: str(case["seed"]))
def test_seed_draws_what_numpy_draws(page, case):
    found = page.evaluate(
        """({ seed, normal }) => {
            const draw = (count, what) => {
                const rng = new Net2Net.Rng(seed);
                return Net2Net.range(count).map(() => what(rng));
            };
            const every = normal.length === 2000 ? 1 : 100;
            return {
                integers: draw(9, (rng) => rng.integer(5)),
                uniform: draw(9, (rng) => rng.uniform(0.2, 1)),
                normal: draw(2000, (rng) => rng.normal()).filter((_, i) => i % every === 0),
            };
        }""",
        case,
    )
    assert found["integers"] == case["integers"]
    assert found["uniform"] == case["uniform"]
    np.testing.assert_allclose(found["normal"], case["normal"], rtol=DRAWN)


@pytest.mark.parametrize("case", CASES["mappings"], ids=lambda case: f"{case['n']}-{case['q']}")
def test_mappings_and_shares(page, case):
    found = page.evaluate(
        """({ n, q, seed }) => {
            const mapping = Net2Net.randomMapping(n, q, seed);
            return {
                n, q, seed, mapping, counts: Net2Net.replicationCounts(mapping),
                equal: Net2Net.copyShares(mapping), random: Net2Net.copyShares(mapping, "random", seed),
            };
        }""",
        case,
    )
    assert found == case, "to the last bit"


@pytest.mark.parametrize("case", CASES["widenings"], ids=lambda case: case["kind"])
def test_widening(page, case):
    found = page.evaluate(
        """({ kind, w1, b1, w2, q, options }) => {
            const before = JSON.stringify([w1, b1, w2, options]);
            const student = Net2Net[kind === "fc" ? "wider2netFc" : "wider2netConv2d"](w1, b1, w2, q, options);
            return [student, before === JSON.stringify([w1, b1, w2, options])];
        }""",
        case,
    )
    student, unchanged = found
    assert unchanged, "what came in stays as it was"
    if drawn(case):
        assert_close(student, case["student"], DRAWN)
    else:
        assert student == case["student"], "to the last bit"


@pytest.mark.parametrize("split", SPLITS)
def test_splits_draw_what_helpers_draw(page, split):
    teacher = explore.curves_teacher()
    cases = [case for case in CASES["splits"] if case["split"] == split]
    assert len(cases) == 16
    for case in cases:
        _, _, w2 = page.evaluate(
            "([{ w1, b1, w2 }, { q, split, seed }]) => Net2Net.wider2netFc(w1, b1, w2, q, { split, rng: seed })",
            [teacher, case],
        )
        # The size of the noise is a root of a sum, whose order is not NumPy's.
        np.testing.assert_allclose(w2, case["w2"], rtol=0, atol=1e-14 if split == "noise" else 0)


@pytest.mark.parametrize("case", CASES["deepenings"], ids=lambda case: str(case["size"]))
def test_identity_kernels(page, case):
    assert page.evaluate("({ size }) => Net2Net.deeper2netConv2d(2, size)", case) == [case["kernel"], case["bias"]]


def test_identity_matrix(page):
    assert page.evaluate("Net2Net.deeper2netFc(2)") == [[[1, 0], [0, 1]], [0, 0]]


@pytest.mark.parametrize("name", CASES["activations"]["phi"])
def test_activations(page, name):
    cases = CASES["activations"]
    found = page.evaluate("([name, v]) => v.map(Net2Net.activations[name])", [name, cases["v"]])
    # Where 1 + erf nearly cancels, only the absolute error is small.
    np.testing.assert_allclose(found, cases["phi"][name], rtol=1e-15, atol=4e-16)


def test_every_activation_is_compared(page):
    assert sorted(page.evaluate("Object.keys(Net2Net.activations)")) == sorted(CASES["activations"]["phi"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("Net2Net.randomMapping(4, 3, 0)", "Net2Net only adds units"),
        ("new Net2Net.Rng(-1)", "seed"),
        ("new Net2Net.Rng(0.5)", "seed"),
        ("Net2Net.replicationCounts([0, 2])", "at least once"),
        ("Net2Net.copyShares([0], 'halves')", "split"),
        ("Net2Net.wider2netFc([[1, 2]], [0, 0], [[1], [1]], 2)", "new_width"),
        ("Net2Net.wider2netFc([[1, 2]], [0, 0], [[1]], 3)", "rows"),
        ("Net2Net.wider2netFc([[1, 2]], [0, 0], [[1], [1]], 3, { mapping: [1, 0, 0] })", "mapping"),
        ("Net2Net.wider2netFc([[1, 2]], [0, 0], [[1], [1]], 3, { noise: -1 })", "noise"),
        ("Net2Net.wider2netFc([[1, 2]], [0, 0], [[1], [1]], 3, { init: 'zeros' })", "init"),
        ("Net2Net.wider2netFc([[1, 2]], [0, 0], [[1], [1]], 3, { split: 'halves' })", "split"),
    ],
)
def test_what_does_not_fit_is_refused(page, call, message):
    said = page.evaluate(
        f"(() => {{ try {{ {call}; }} catch (e) {{ return `${{e.constructor.name}}: ${{e.message}}`; }} }})()"
    )
    assert said.startswith("Net2NetError: ")
    assert message in said
