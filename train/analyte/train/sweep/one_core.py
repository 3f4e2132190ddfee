"""Keeping a trial to one core, so that trials side by side do not slow each other down."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

THREADS = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""Read by TensorFlow, OpenMP and numpy when they are first imported."""


@contextlib.contextmanager
def one_core() -> Iterator[int | None]:
    """Bind this thread, and every thread that it starts, to a core that no other trial here has.

    Gives the number of the core, or None where all are taken, and then binds to none. Call it before
    TensorFlow is imported: it sizes its pools by the cores that it may use. The thread counts alone are
    not enough: the input pipeline has threads of its own.
    """
    os.environ.update(THREADS)
    before = os.sched_getaffinity(0)
    with _free_core(before) as core:
        if core is not None:
            os.sched_setaffinity(0, {core})
        try:
            yield core
        finally:
            os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _free_core(cores: set[int]) -> Iterator[int | None]:
    """Reserve a core for as long as the block runs, among all trials of this user on this machine.

    The reservation is a lock on a file: it ends with the process, however that ends.
    """
    for core in sorted(cores):
        file = Path(tempfile.gettempdir()) / f"analyte-{os.getuid()}-core{core}.lock"
        with file.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield core
            return
    yield None
