"""What does widening cost beside training, as models grow?

    python benchmarks/scaling.py [--largest PARAMETERS] [--out FOLDER]

Three families are widened by 2 at ever larger sizes, each doubling the width, until the next student would not fit in
three quarters of the memory while it is made and trained, or an update would take over a minute. Every size is measured
three times, each time in a fresh process, in float32 and on one thread: processor seconds of `net2wider_net`; of its
floor, `clone_model` of the student and `set_weights` of its arrays; and of an update of student and teacher on 32
examples; and the most memory that widening held beyond what the process had before it built the teacher. Prints a
table, and writes results/scaling.csv and scaling.json. Linux only: the peak is the kernel's own record.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from memory import kernel_record
from tqdm import tqdm

from helpers.experiments import write_results
from helpers.networks import small_cnn, small_mlp, small_transformer

ROOT = Path(__file__).resolve().parent.parent
REPEATS = 3
EXAMPLES = 32
# What is held at once, in bytes of the student's weights. While it is made: temporary copies of one large matrix;
# while it trains: momentum, gradients, and what Keras computes of them. At 3.5 the kernel ended the process.
HELD = 5.5
MEMORY = 0.75 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
SLOWEST = 60  # seconds of an update
ENOUGH = 1.0  # seconds of updates, from which the median is taken
COLUMNS = {
    "widen": "processor seconds of net2wider_net",
    "floor": "of clone_model of the student, and set_weights",
    "update": "of an update of the student on 32 examples",
    "teacher_update": "of an update of the teacher",
    "peak_bytes": "the most that widening held, teacher and student included",
}

# Name of a family: its teacher of a size, the widths of its student, and the shapes of an example and of its answer.
FAMILIES = {
    "dense": (lambda n: small_mlp(784, 8 * n), lambda n: 2, ((784,), (10,))),
    "convolutional": (lambda n: small_cnn((n, 2 * n, 4 * n)), lambda n: 2, ((28, 28, 1), (10,))),
    "Transformer": (
        lambda n: small_transformer(8 * n, n, 16 * n),
        lambda n: {"embedding": 16 * n, "near": 16 * n, "attention.num_heads": 2 * n, "inner": 32 * n},
        ((64,), (64,)),
    ),
}


def batch(family):
    """Inputs and answers; what they are does not matter to the time."""
    shapes, rng = FAMILIES[family][2], np.random.default_rng(0)
    if family == "Transformer":
        return [rng.integers(96, size=(EXAMPLES, *shape)).astype("int32") for shape in shapes]
    return [rng.uniform(size=(EXAMPLES, *shape)).astype("float32") for shape in shapes]


def seconds(function):
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def an_update(model, x, y):
    """The median of as many updates as take a second, after the first, in which TensorFlow compiles."""
    model.train_on_batch(x, y)
    times = []
    while sum(times) < ENOUGH:
        times.append(seconds(lambda: model.train_on_batch(x, y))[0])
    return statistics.median(times)


def measure(family, size):
    """A row of the CSV."""
    from zoo import floor

    from helpers import net2wider_net

    build, widths, _ = FAMILIES[family]
    net2wider_net(build(1), widths(1), split="random")  # what only the first model of a process costs
    before = kernel_record("VmRSS")
    teacher = build(size)
    widen, student = seconds(lambda: net2wider_net(teacher, widths(size), split="random", seed=0))
    row = {"peak_bytes": kernel_record("VmHWM") - before}
    row |= {"teacher_parameters": teacher.count_params(), "parameters": student.count_params(), "widen": widen}
    row["floor"] = seconds(floor(student))[0]
    x, y = batch(family)
    row["teacher_update"] = an_update(teacher, x, y)
    teacher = None  # its memory is needed
    return row | {"update": an_update(student, x, y)}


def in_a_fresh_process(family, size):
    command = [sys.executable, __file__, "--one", family, str(size)]
    run = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(run.stdout)


def sizes(family, largest):
    """Measured sizes of a family, each with its rows, until the next student is too much for this machine."""
    size = 1
    while True:
        rows = [in_a_fresh_process(family, size) for _ in range(REPEATS)]
        yield [{"family": family, "size": size, "repeat": repeat} | row for repeat, row in enumerate(rows)]
        parameters, slowest = 4 * rows[0]["parameters"], 4 * max(row["update"] for row in rows)
        if parameters > largest or 4 * HELD * parameters > MEMORY or slowest > SLOWEST:
            return
        size *= 2


def definition():
    """What was asked, and of what, in the form that results keep."""
    asked = {"name": "scaling", "question": __doc__.splitlines()[0], "columns": COLUMNS}
    return asked | {"families": list(FAMILIES), "examples": EXAMPLES, "repeats": REPEATS}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=float, default=np.inf, help="parameters of the largest student")
    parser.add_argument("--out", type=Path, default=ROOT / "results", help="folder to write to (default: results)")
    parser.add_argument("--one", nargs=2, metavar=("FAMILY", "SIZE"), help="measure one size, print it as JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], int(given.one[1]))))
        return
    print(f"{'family':<15}{'parameters':>14}" + "".join(f"{name:>16}" for name in COLUMNS), flush=True)
    found = []
    with tqdm(desc="sizes", disable=None) as bar:
        for family in FAMILIES:
            for rows in sizes(family, given.largest):
                found += rows
                medians = [statistics.median(row[name] for row in rows) for name in COLUMNS]
                tqdm.write(f"{family:<15}{rows[0]['parameters']:>14,}" + "".join(f"{m:>16.4g}" for m in medians))
                sys.stdout.flush()
                bar.update()
    command = " ".join(["python benchmarks/scaling.py", *sys.argv[1:]])
    write_results(found, {"study": "scaling", "definition": definition(), "command": command}, given.out)


if __name__ == "__main__":
    # One thread for each process that is started, set before TensorFlow wakes up.
    one = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    os.environ |= one | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    main()
