"""The other workers of a training on this machine: processes that talk over the loopback interface."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import click

from analyte.contract.errors import UnavailableError

CLUSTER = "TF_CONFIG"
"""Environment variable by which TensorFlow is told where all workers are, and which one this process is."""
_THREADS = "TF_NUM_INTRAOP_THREADS"
_GRACE_S = 90.0
"""Once another worker has failed, TensorFlow has this long to notice before this process is ended."""
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class _Other:
    number: int
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    """What it wrote to the standard error."""

    def failure(self) -> UnavailableError | None:
        """Return why it ended, if it ended badly."""
        code = self.process.poll()
        if not code:
            return None
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "nothing")
        how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
        return UnavailableError(
            f"worker {self.number} of the training ended with {how}", got=f"last words: {last[:300]}"
        )


class LocalWorkers:
    """All other workers; this process is the chief."""

    def __init__(self, others: list[_Other]) -> None:
        self._others, self._done = others, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def failure(self) -> UnavailableError | None:
        """Return why one of them ended, if one ended badly before they were dismissed."""
        if self._done.is_set():
            return None
        return next((found for other in self._others if (found := other.failure())), None)

    def dismiss(self) -> None:
        """End them: all that is left to do is the chief's."""
        self._done.set()
        self._watcher.join()
        for other in self._others:
            # Not terminate: TensorFlow takes that signal for a notice, and goes on.
            other.process.kill()
            other.process.wait()
            other.said.close()

    def _watch(self) -> None:
        """End this process where TensorFlow waits for a worker that is no more."""
        while not self._done.wait(_POLL_S):
            if (failure := self.failure()) and not self._done.wait(_GRACE_S):
                click.echo(f"analyte: {failure.line()}", err=True)
                os._exit(failure.exit_code)


@contextlib.contextmanager
def local_workers(count: int) -> Iterator[LocalWorkers]:
    """Run this very command in ``count`` - 1 more processes, and make this one the chief of them all.

    None are started where ``count`` is 1, or `CLUSTER` says already where the workers are. The cores are
    divided among them. To be called before TensorFlow is imported.

    Raises: UnavailableError when one of them ends badly.
    """
    others: list[_Other] = []
    before = {name: os.environ.get(name) for name in (CLUSTER, _THREADS)}
    if count == 1 and os.environ.get(CLUSTER):
        click.echo(f"analyte: {CLUSTER} is set: waiting for all its workers", err=True)
    if count > 1 and not os.environ.get(CLUSTER):
        addresses = _free_addresses(count)
        os.environ.setdefault(_THREADS, str(max(1, len(os.sched_getaffinity(0)) // count)))
        others = [_start(addresses, number) for number in range(1, count)]
        os.environ[CLUSTER] = _config(addresses, 0)
    local = LocalWorkers(others)
    try:
        yield local
    except UnavailableError as error:
        raise local.failure() or error from error
    finally:
        local.dismiss()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start(addresses: list[str], number: int) -> _Other:
    said = tempfile.TemporaryFile()  # noqa: SIM115 - read once the process has ended
    # Ctrl-C in a terminal reaches every process. It is the chief's to pass on.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "analyte.cli", *sys.argv[1:]],
            env={**os.environ, CLUSTER: _config(addresses, number)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    return _Other(number, process, said)


def _config(addresses: list[str], number: int) -> str:
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}})


def _free_addresses(count: int) -> list[str]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
