"""The command: ``python -m helpers.study list`` names the studies of trajectories, ``... run STUDY`` records one."""

import argparse
import sys
from pathlib import Path

from helpers.checks import Net2NetError

ROOT = Path(__file__).resolve().parent.parent.parent


def main(argv=None):
    """The command line; returns the exit code."""
    from helpers.study.language import LANGUAGE
    from helpers.study.recorder import record

    parser = argparse.ArgumentParser(prog="python -m helpers.study", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the studies")
    run = commands.add_parser("run", help="run a study, or go on with it")
    run.add_argument("study", choices=LANGUAGE)
    run.add_argument("--seeds", type=int, help="number of seeds")
    run.add_argument("--jobs", type=int, default=1, help="lines at a time, each on one thread")
    run.add_argument("--scheduler", help="address of a Dask scheduler, whose workers do the lines")
    run.add_argument("--quick", action="store_true", help="a tiny form, kept apart from the recorded results")
    run.add_argument("--out", type=Path, help="folder to write to (default: results, or results/.quick)")
    given = parser.parse_args(argv)
    if given.command == "list":
        for study in LANGUAGE.values():
            print(f"{study.name}: {study.question}\n    arms: {', '.join(study.arms)}")
        return 0
    study = LANGUAGE[given.study].quick() if given.quick else LANGUAGE[given.study]
    results = (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / "results"
    words = f"python -m helpers.study run {study.name} --seeds {given.seeds or study.seeds}"
    words += (" --quick" if given.quick else "") + f" --jobs {given.jobs}"
    try:
        failures = record(
            study,
            seeds=given.seeds,
            jobs=given.jobs,
            scheduler=given.scheduler,
            out=given.out or (results / ".quick" if given.quick else results),
            command=words,
        )
    except Net2NetError as error:
        print(error, file=sys.stderr)
        return 1
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    if failures:
        print("The other lines are kept; the same command does the failed ones again.", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
