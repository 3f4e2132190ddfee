"""Workers of one training on this machine: several processes that talk over the loopback interface."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

import click

from analyte.train.cluster import VARIABLE

_GRACE_S = 30.0
"""Once one worker has failed, the others have this long to notice and to say so."""
_POLL_S = 0.2
_THREADS = "TF_NUM_INTRAOP_THREADS"


def launch_workers(arguments: Sequence[str], count: int) -> int:
    """Run ``analyte`` with these arguments in ``count`` processes of one cluster; return the exit code.

    The first is the chief: it alone prints, draws its progress and writes the run. The cores are divided
    among them. When one dies the others end too, and so does this, with the code of the one that died.
    """
    addresses = _free_addresses(count)
    workers: list[subprocess.Popen[bytes]] = []
    # Ctrl-C in a terminal reaches every process: the workers agree among themselves when to stop.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        workers += (_start(arguments, addresses, index) for index in range(count))
        return _wait(workers)
    finally:
        signal.signal(signal.SIGINT, before)
        for worker in workers:
            # Not terminate: TensorFlow takes that signal for a notice, and goes on waiting for the others.
            worker.kill()
            worker.wait()


def _start(arguments: Sequence[str], addresses: Sequence[str], index: int) -> subprocess.Popen[bytes]:
    config = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}}
    cores = len(os.sched_getaffinity(0))
    environment = {_THREADS: str(max(1, cores // len(addresses))), **os.environ, VARIABLE: json.dumps(config)}
    silent = None if index == 0 else subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *arguments], env=environment, stdout=silent, stderr=silent
    )


_PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from analyte.cli import main
main()
"""
"""``analyte``, listening to Ctrl-C, which it inherits as ignored."""


def _wait(workers: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait until all have ended, or, once one has failed, for the grace; return the code of that one."""
    failed: tuple[int, int] | None = None
    deadline = float("inf")
    while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
        if failed is None and (failed := _failed(workers)) is not None:
            deadline = time.monotonic() + _GRACE_S
        time.sleep(_POLL_S)
    failed = failed or _failed(workers)
    if failed is None:
        return 0
    number, code = failed
    if number > 0 and code != 130:
        click.echo(f"analyte: worker {number} of the training ended with exit code {code}", err=True)
    # A process that was killed has minus the signal's number; a shell says 128 plus.
    return code if code > 0 else 128 - code


def _failed(workers: Sequence[subprocess.Popen[bytes]]) -> tuple[int, int] | None:
    """Return number and exit code of a worker that failed, the chief before others."""
    found = [(number, worker.returncode) for number, worker in enumerate(workers) if worker.returncode]
    return found[0] if found else None


def _free_addresses(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    finally:
        for each in sockets:
            each.close()
