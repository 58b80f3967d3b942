"""The command: ``python -m helpers.study list`` names the studies of trajectories, ``... run STUDY`` records one."""

import sys

from helpers.experiments import command


def main(argv=None):
    """The command line; returns the exit code."""
    from helpers.study.language import LANGUAGE
    from helpers.study.recorder import record

    return command("helpers.study", __doc__, LANGUAGE, record, argv)


if __name__ == "__main__":
    sys.exit(main())
