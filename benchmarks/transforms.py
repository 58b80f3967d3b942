"""How long the transformations of arrays take, beside the least they could: copying the student's arrays.

Run with `python benchmarks/transforms.py`. Float32, one thread. Each function and its floor, `array.copy()` of the
arrays it returns (into fresh memory, as the function needs it too), are timed in turn in the same run; medians are
printed.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from helpers import weights as w


def cases():
    """Name, function, and the ratio to its floor that we aim at."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape, dtype="float32")

    dense = normal(1024, 1024), normal(1024), normal(1024, 1024)
    conv = normal(3, 3, 128, 256), normal(256), normal(3, 3, 256, 128)
    kernel = normal(3, 3, 128, 512)
    return [
        ("wider: dense 1024 -> 2048", lambda: w.wider2net_fc(*dense, 2048, split="equal", rng=0), 2),
        ("wider: dense, random shares", lambda: w.wider2net_fc(*dense, 2048, split="random", rng=0), 2),
        ("wider: conv 3x3x256 -> 512", lambda: w.wider2net_conv2d(*conv, 512, split="equal", rng=0), 4),
        ("wider: conv, random shares", lambda: w.wider2net_conv2d(*conv, 512, split="random", rng=0), 4),
        ("deeper: dense 2048", lambda: w.deeper2net_fc(2048), 1.5),
        ("deeper: conv 3x3x512", lambda: w.deeper2net_conv2d(kernel), 1.5),
    ]


def medians(functions, rounds):
    """Median CPU seconds (other programs disturb them least) of each function, all called in turn in every round."""
    times = np.empty((rounds, len(functions)))
    for row in times:
        for i, function in enumerate(functions):
            start = time.process_time()
            result = function()
            row[i] = time.process_time() - start
            del result  # its memory goes back outside the timing
    return np.median(times, axis=0)


def measure(rounds=31):
    """A row for each case: name, milliseconds, milliseconds of the floor, ratio, aim."""
    names, functions, aims = zip(*cases(), strict=True)
    students = [function() for function in functions]
    floors = [lambda arrays=arrays: [array.copy() for array in arrays] for arrays in students]
    times = 1e3 * medians([f for pair in zip(functions, floors, strict=True) for f in pair], rounds)
    own, floor = times[::2], times[1::2]
    return list(zip(names, own, floor, own / floor, aims, strict=True))


def main():
    # Both sides get memory fresh from the system at every allocation: glibc would keep some, and give it to either. It
    # reads this when a process starts, so this one starts again.
    settings = {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    if not settings.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | settings)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31, help="how often each is timed (default: 31)")
    arguments = parser.parse_args()
    print(f"{'':28}{'ms':>8}{'copy ms':>10}{'ratio':>8}{'aim':>8}")
    for name, own, floor, ratio, aim in measure(arguments.rounds):
        print(f"{name:28}{own:8.2f}{floor:10.2f}{ratio:8.2f}{'<= ' + format(aim, 'g'):>8}")


if __name__ == "__main__":
    main()
