"""As many processes as cores, so one thread for each process."""

import os


def one_thread():
    """Let this process, and those that it starts, use one thread: several on the same core wait for one another."""
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
