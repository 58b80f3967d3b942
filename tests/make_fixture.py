"""What `helpers.weights` computes, for the page's mathematics to reproduce: `python tests/make_fixture.py`.

tests/test_weights_in_js.py compares book/web/net2net.js with the file written here, and the file with what
would be written now.
"""

import json

import numpy as np
from address import ROOT

from helpers import weights as w
from helpers.show import explore

FIXTURE = ROOT / "tests" / "fixtures" / "net2net.json"


def plain(value):
    """Return arrays as nested lists."""
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def draws():
    """What a seed draws: whole numbers, numbers on an interval, normal ones."""
    for seed in (0, 1, 7, 4_294_967_296, 2**53 - 1):
        whole, real, normal = (np.random.default_rng(seed) for _ in range(3))
        yield {
            "seed": seed,
            "integers": plain(whole.integers(5, size=9)),
            "uniform": plain(real.uniform(0.2, 1.0, size=9)),
            # Enough for the rare ways through the ziggurat, its tail included.
            "normal": plain(normal.standard_normal(2000)[:: 1 if seed == 7 else 100]),
        }


def mappings():
    """Mappings with their counts and shares."""
    for n, q, seed in ((1, 1, 0), (1, 5, 3), (3, 6, 0), (4, 7, 6), (6, 24, 11), (16, 64, 2)):
        mapping = w.random_mapping(n, q, seed)
        yield {
            "n": n,
            "q": q,
            "seed": seed,
            "mapping": plain(mapping),
            "counts": plain(w.replication_counts(mapping)),
            "equal": plain(w.copy_shares(mapping)),
            "random": plain(w.copy_shares(mapping, "random", seed)),
        }


def widenings():
    """Layers widened in every way: dense, convolution, convolution behind a Flatten."""
    rng = np.random.default_rng(0)
    shapes = {
        "fc": ((2, 3), (3, 2), 7),
        "conv2d": ((2, 3, 2, 3), (1, 2, 3, 2), 5),
        "flatten": ((3, 1, 1, 2), (4 * 2, 3), 5),
    }
    ways = (
        {"split": "equal"},
        {"split": "random"},
        {"split": "equal", "noise": 0.25},
        {"split": "random", "noise": 0.1},
        {"init": "randompad", "split": "random"},  # padding has no shares to draw
        {"mapping": True, "split": "random"},
        {"split": "weights"},
        {"split": "noise"},
        {"split": "weights", "noise": 0.2},
        {"mapping": True, "noise": 0.2},  # noise that cancels, the default
        {"split": "noise", "zero": True},  # before weights that are all 0
    )
    for kind, (first, second, q) in shapes.items():
        for number, way in enumerate(ways):
            w1, b1, w2 = rng.normal(size=first), rng.normal(size=first[-1]), rng.normal(size=second)
            if number == 1:
                b1 = None
            options = dict(way)
            if options.pop("zero", False):
                w2 = np.zeros(second)
            if "mapping" in way:
                options["mapping"] = [*range(first[-1]), *[1] * (q - first[-1])]
            function = w.wider2net_fc if kind == "fc" else w.wider2net_conv2d
            student = function(w1, b1, w2, q, rng=number, **options)
            given = {"w1": plain(w1), "b1": plain(b1), "w2": plain(w2)}
            yield {
                "kind": kind,
                **given,
                "q": q,
                "options": options | {"rng": number},
                "student": plain(student),
            }


def splits():
    """A dense layer with two outputs, by every split, from several seeds, with few copies and with many."""
    w1, b1, w2, _ = (np.array(explore.curves_teacher()[name]) for name in ("w1", "b1", "w2", "b2"))
    for split in w.SPLITS:
        for seed in (0, 1, 7, 4_294_967_296):
            for q in (5, 8, 11, 40):
                student = w.wider2net_fc(w1, b1, w2, q, split=split, rng=seed)
                yield {"split": split, "seed": seed, "q": q, "w2": plain(student[2])}


def deepenings():
    """Identity kernels of many sizes."""
    for size in ((1, 3), (3, 1), (3, 3), (5, 5), (2, 4), (1, 1)):
        kernel, bias = w.deeper2net_conv2d(np.zeros((1, 1, 1, 2)), size)
        yield {"size": size, "kernel": plain(kernel), "bias": plain(bias)}


def explorables():
    """States of the widening panel, and what they come to."""
    states = (
        {},
        {"seed": 3, "width": 16},
        {"width": 4},
        *({"way": way, "seed": seed, "width": width} for way in w.SPLITS for seed, width in ((1, 9), (4, 16))),
        {"width": 11, "way": "random", "seed": 5},
        {"way": "weights", "seed": 2, "unit": 2, "noise": 0.1},
        {"way": "random", "parts": [1.0, 2.0, 3.0, 4.0] * 4},
        {"width": 16, "way": "undivided"},
        {"width": 13, "way": "randompad", "seed": 8},
        {"width": 9, "noise": 0.3, "seed": 2},
        {"mapping": [0, 1, 2, 3, 3, 3, 1], "way": "random", "noise": 0.05},
    )
    for given in states:
        panel = explore.widen(**given)
        shares = None if panel.shares is None else plain(panel.shares)
        state = {name: getattr(panel, name) for name in panel.state}
        cosines = [panel.cosine for panel.unit in range(panel.width)]
        yield {"state": state, "shares": shares, "weights": plain(panel.weights), "gap": panel.gap, "cosines": cosines}


def deepened():
    """States of the deepening panel, and what they come to."""
    states = (
        *({"activation": name, "layers": 2, "v": -1.5} for name in explore.ACTIVATIONS),
        {},
        {"layers": 0, "activation": "tanh"},
        {"kind": "conv"},
        {"kind": "conv", "size": [1, 3], "tap": [0, 2]},
        {"kind": "conv", "size": [5, 5], "tap": [4, 0], "layers": 3},
        {"kind": "conv", "size": [3, 1], "layers": 2},
        {"kind": "block"},
        {"kind": "block", "activation": "gelu", "last": 0.35},
    )
    for given in states:
        panel = explore.deepen(**given)
        came_to = {"once": float(explore.ACTIVATIONS[panel.activation](panel.v)), "again": float(panel.again(panel.v))}
        yield {"given": given, "gap": panel.gap, **came_to, "ink": float(panel.output.sum())}


def fixture():
    """Return the text of the fixture."""
    v = np.array([-30.0, -7.5, -3.0, -1.0, -0.3, -1e-9, 0.0, 1e-9, 0.2, 1.0, 2.5, 6.0, 7.0, 30.0])
    content = {
        "draws": list(draws()),
        "mappings": list(mappings()),
        "widenings": list(widenings()),
        "splits": list(splits()),
        "deepenings": list(deepenings()),
        "activations": {"v": plain(v), "phi": {name: plain(phi(v)) for name, phi in explore.ACTIVATIONS.items()}},
        "explorables": list(explorables()),
        "deepened": list(deepened()),
    }
    lines = (f" {json.dumps(name)}: {json.dumps(part)}" for name, part in content.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_text(fixture(), encoding="utf-8")
