"""Pictures in files: a folder of them, or one."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

from analyte.contract.errors import CameraError, ImageError, InputError
from analyte.contract.imaging import IMAGE_SUFFIXES, read_image
from analyte.runtime.sources.names import display_name
from analyte.runtime.sources.protocol import BadFrame, EndOfSource, Frame


def is_folder(path: Path) -> bool:
    """Whether there is a folder; no where nobody may look, which `Path.is_dir` raises until Python 3.14."""
    try:
        return path.is_dir()
    except OSError:
        return False


def image_files(folder: Path) -> list[Path]:
    """Return the pictures of a folder (by suffix, not of its sub-folders), ``2.png`` before ``10.png``.

    Raises: InputError when the folder cannot be listed.
    """
    return [path for path in _files(folder) if path.suffix.lower() in IMAGE_SUFFIXES]


def other_files(folder: Path) -> list[Path]:
    """Return the files of a folder that `image_files` leaves out because of their suffix, in the same order.

    Raises: InputError when the folder cannot be listed.
    """
    return [path for path in _files(folder) if path.suffix.lower() not in IMAGE_SUFFIXES]


def _files(folder: Path) -> list[Path]:
    try:
        # A name that starts with a dot is another program's unfinished business.
        found = [p for p in folder.iterdir() if not p.name.startswith(".") and not p.is_dir()]
    except OSError as error:
        raise InputError("the folder cannot be listed", where=folder, got=error.strerror) from error
    return sorted(found, key=lambda p: natural_order(p.name))


def read_frame(path: Path, index: int) -> Frame | BadFrame:
    """Read one picture; never raises for a picture that is missing or damaged."""
    at, clock, name = datetime.now(UTC), time.monotonic(), display_name(path)
    try:
        pixels = read_image(path)
    except ImageError as error:
        return BadFrame(error, at, clock, name, index)
    return Frame(pixels, at, clock, name, index)


class FolderSource:
    """The pictures of a folder in natural order of their names; a damaged one does not stop the rest."""

    def __init__(self, path: Path) -> None:
        self.name = display_name(path)
        self.live = False
        self._kind = "folder" if path.is_dir() else "picture"
        try:
            self._files = image_files(path) if path.is_dir() else [path]
        except InputError as error:
            raise CameraError(error.what, where=self.name, got=error.got) from error
        self._next = 0
        if not self._files:
            raise CameraError(
                "no pictures in the folder", where=self.name, expected=", ".join(sorted(IMAGE_SUFFIXES))
            )

    def read(self, timeout_s: float) -> Frame | BadFrame:
        """Return the next picture. Raises: EndOfSource after the last."""
        if self._next >= len(self._files):
            raise EndOfSource(f"end of {self._kind} {self.name}")
        index = self._next
        self._next += 1
        return read_frame(self._files[index], index)

    def close(self) -> None:
        """Forget the pictures that were not read."""
        self._next = len(self._files)


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts ``2.png`` before ``10.png``."""
    parts: list[str] = re.split(r"([0-9]+)", name)
    return [(0, int(part), part) if part[:1].isdecimal() else (1, 0, part) for part in parts if part]
