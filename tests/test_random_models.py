"""Random models of layers of one's own: what is accepted is exact.

NET2NET_GRAPHS sets how many; each is widened by a factor, and a larger one of the same program is filled.
"""

import os
from collections import Counter

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from kinds import gap, inputs, run, shake, varies
from models_for_tests import dtype, quietly
from random_models import models

from helpers import Net2NetError, grow_into, growth, net2wider_net

GRAPHS = int(os.environ.get("NET2NET_GRAPHS", 18))
SEEN = Counter()


@settings(max_examples=GRAPHS, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(models(), st.sampled_from([2, 2, 1.5, 3]), st.sampled_from(["random", "equal"]), st.integers(0, 99))
def test_what_is_accepted_is_exact(program, factor, split, seed):
    keras.config.enable_unsafe_deserialization()
    with dtype("float64"):
        teacher = shake(quietly(program.build), seed)
        note(str(program))
        x = inputs(teacher, batch=4)
        before = run(teacher, x)
        assume(varies(before))
        assume(max(np.abs(y).max() for y in before) < 1e6)
        SEEN["models"] += 1

        def check(what, function):
            try:
                student = quietly(function)
            except Net2NetError as error:
                note(f"{what} refused: {error}")
                SEEN[f"{what}: refused"] += 1
                return
            SEEN[what] += 1
            SEEN[f"{what}: groups grown"] += sum(group.reason is None for group in growth(student))
            SEEN[f"{what}: groups"] += len(list(growth(student)))
            assert gap(before, run(student, x)) < 1e-11, what

        check("wider", lambda: net2wider_net(teacher, factor, split=split, seed=seed))
        try:
            larger = quietly(program.build, 2 if factor == 1.5 else factor)
        except ValueError:  # what met by chance has other widths now
            SEEN["cannot be larger"] += 1
            return
        check("filled", lambda: grow_into(teacher, shake(larger, seed + 1), split=split, seed=seed))


def test_most_random_models_grew():
    if SEEN["models"] < GRAPHS // 2:
        pytest.skip("runs behind test_what_is_accepted_is_exact")
    print(dict(SEEN))
    assert 3 * SEEN["wider"] > SEEN["models"]  # about half do; which of them are drawn is chance
    assert 3 * SEEN["wider: groups grown"] > SEEN["wider: groups"]
