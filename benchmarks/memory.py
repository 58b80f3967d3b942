"""How much memory does widening take, beside a teacher and a student that are only built?

    python benchmarks/memory.py [MODEL ...]

For each model of keras.applications, in float32 and widened by 1.5: the most that a fresh process holds while it builds
the teacher and widens it, as a ratio to the most that another one holds while Keras builds both from their settings.
Linux only: the peak is the kernel's own record.
"""

import json
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MODELS = ("ResNet50", "MobileNetV2", "DenseNet121", "VGG16")


def kernel_record(key):
    """Bytes of this process: VmRSS is held now, VmHWM the most so far."""
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(key))


def peak(name, settings, widen):
    """Bytes above those of a process that has imported everything and built one small model."""
    import keras

    from helpers import net2wider_net

    net2wider_net(keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), keras.layers.Dense(2)]), 2, split="equal")
    before = kernel_record("VmRSS")
    teacher = getattr(keras.applications, name)(weights=None, input_shape=(96, 96, 3))
    if widen:
        student = net2wider_net(teacher, 1.5, split="equal", seed=0)
        with open(settings, "w") as file:
            json.dump(student.get_config(), file)
    else:
        with open(settings) as file:
            student = keras.Model.from_config(json.load(file))
    return kernel_record("VmHWM") - before, 4 * (teacher.count_params() + student.count_params())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(*peak(sys.argv[2], sys.argv[3], widen=sys.argv[4] == "widened"))
        sys.exit()
    print(f"{'model':<14}{'weights':>10}{'built':>10}{'widened':>10}{'ratio':>8}   (MiB)", flush=True)
    for name in sys.argv[1:] or MODELS:
        with tempfile.NamedTemporaryFile() as settings:
            runs = {}
            for how in ("widened", "built"):
                command = [sys.executable, __file__, "--one", name, settings.name, how]
                run = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                runs[how], held = (int(word) for word in run.stdout.split())
        numbers = "".join(f"{size / 2**20:>10.0f}" for size in (held, runs["built"], runs["widened"]))
        print(f"{name:<14}{numbers}{runs['widened'] / runs['built']:>8.2f}", flush=True)
