"""Random graphs: each is widened and deepened exactly, or refused with a reason; nothing else may happen.

NET2NET_GRAPHS sets how many; 500 take about eleven minutes of one core, 10,000 four hours.
"""

import os
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from models_for_tests import EXACT, Builder, dtype, not_trivial, outputs, quietly, randomize

from helpers import Net2NetError, channel_groups, net2deeper_net, net2wider_net
from helpers.proof import example_inputs

GRAPHS = int(os.environ.get("NET2NET_GRAPHS", 25))
SEEN = Counter()


def wanted(rng, model):
    """Widths to ask for: a factor, or some of the groups by name."""
    groups = [group for group in channel_groups(model) if group.fixed is None]
    if not groups or rng.randint(0, 4) == 0:
        return rng.choice([2, 1.5, 3, 1.1])
    times = rng.choice([2, 3, None])  # None: any width
    widths = {}
    for group in groups:
        if not widths or rng.randint(0, 1):
            name, width = group.layers[0], group.width
            widths[name] = width * times if times else width + rng.randint(1, 5)
    return widths


@settings(max_examples=GRAPHS, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_random_graph(rng):
    check_graph(rng)


def check_graph(rng):
    with dtype("float64"):
        builder = Builder(rng)
        model = randomize(quietly(builder.model), rng.randint(0, 1000))
        note("\n".join(builder.code))
        x = example_inputs(model, batch=4)
        before = quietly(outputs, model, x)
        assume(not_trivial(before))
        size = max(np.abs(y).max() for y in before)
        SEEN["graphs"] += 1

        def check(what, function, teacher, *args, **kwargs):
            note(f"{what} {args} {kwargs}")
            try:
                student = quietly(function, teacher, *args, **kwargs)
            except Net2NetError as error:
                note(f"refused: {error}")
                SEEN[f"{what}: refused"] += 1
                return None
            SEEN[what] += 1
            after = quietly(outputs, student, x)
            assert [y.shape for y in after] == [y.shape for y in before]
            gap = max(np.abs(a - b).max() for a, b in zip(before, after, strict=True)) / size
            assert gap <= EXACT["float64"], f"{what}: gap {gap:.1e} of the largest output"
            return student

        how = {"split": rng.choice(["equal", "random"]), "seed": rng.randint(0, 99)}
        how["init"] = rng.choice(["net2wider", "net2wider", "net2wider", "zeropad"])
        widths = wanted(rng, model)
        wide = check("wider", net2wider_net, model, widths, **how)
        activation = rng.choice(["same", "same", "linear", "parametric"])
        deep = check("deeper", net2deeper_net, model, activation=activation)
        if wide is not None and rng.randint(0, 1):
            check("deeper after wider", net2deeper_net, wide)
        if deep is not None and rng.randint(0, 1):
            check("wider after deeper", net2wider_net, deep, widths, **how)


def test_most_random_graphs_were_not_refused():
    if SEEN["graphs"] < GRAPHS // 2:
        pytest.skip("runs behind test_random_graph")
    print(dict(SEEN))
    assert SEEN["wider"] > SEEN["wider: refused"]
    assert SEEN["deeper"] > SEEN["deeper: refused"]
