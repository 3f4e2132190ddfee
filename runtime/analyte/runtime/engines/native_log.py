"""What a native library says on the standard error, kept for the one line that the user sees."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

_NOISE = re.compile(r"\x1b\[[\d;]*m|/\S+\.cc:\d+ .*?\) |\[ONNXRuntimeError\] : \d+ : \w+ : ")
"""Colours, places in the library's own source, and the number of an error beside its words."""


def without_noise(said: object) -> str:
    """Return a message of ONNX Runtime in one line, without what is for developers only."""
    return " ".join(_NOISE.sub(" ", str(said)).split())


class Log:
    """What was said until now."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._kept = b""

    def close(self) -> None:
        """Keep what was said, before the file goes."""
        self._kept = self._said()

    def reason(self) -> str:
        """Return the first complaint of ONNX Runtime or LiteRT, undecorated; empty where there is none."""
        for line in self._said().decode(errors="replace").splitlines():
            if "[E:onnxruntime" in line:
                return without_noise(line.partition("] ")[2])
            if line.startswith(("ERROR: ", "WARNING: ")):  # LiteRT refuses with either
                return without_noise(line.partition(": ")[2])
        return ""

    def _said(self) -> bytes:
        if self._file.closed:
            return self._kept
        return os.pread(self._file.fileno(), os.fstat(self._file.fileno()).st_size, 0)


@contextlib.contextmanager
def native_log() -> Iterator[Log]:
    """Keep what goes to file descriptor 2 away from the user, and for whoever explains an error."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        log = Log(file)
        os.dup2(file.fileno(), 2)
        try:
            yield log
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            log.close()
