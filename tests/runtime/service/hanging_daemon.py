"""The daemon with a camera that hangs, as a driver may, as soon as a file is there: FILE ARGUMENTS…"""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from analyte import cli
from analyte.runtime import daemon
from analyte.runtime.sources.protocol import Frame

HANG = Path(sys.argv.pop(1))


class HangingCamera:
    name = "hanging"
    live = True

    def __init__(self) -> None:
        self._index = 0

    def read(self, timeout_s: float) -> Frame:
        if HANG.exists():
            hang_in_the_driver()
        time.sleep(0.02)
        self._index += 1
        pixels = np.full((48, 64, 3), 90, np.uint8)
        return Frame(pixels, datetime.now(UTC), time.monotonic(), f"{self.name}#{self._index}", self._index)

    def close(self) -> None:
        pass


def hang_in_the_driver() -> None:
    HANG.with_suffix(".begun").touch()
    threading.Event().wait()


daemon.open_source = lambda *_, **__: HangingCamera()  # type: ignore[assignment]
cli.main()
