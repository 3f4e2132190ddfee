"""Where the files of a bundle lie: in a folder, or in one packed file."""

from __future__ import annotations

import contextlib
import stat
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from analyte.contract.errors import IntegrityError

MAX_BYTES = 512 * 2**20
"""Largest file, and largest sum of all files of a packed bundle, bytes: far above any model for a
device, and still in reach of its memory."""


class BundleFiles(Protocol):
    """The files of one bundle by name. What is read is not verified yet."""

    @property
    def path(self) -> Path:
        """The folder or the packed file."""
        ...

    def names(self) -> list[str]:
        """Return the name of everything that is there, sorted; a folder's ends in ``/``."""
        ...

    def read(self, name: str) -> bytes:
        """Return the bytes of a file. Raises: IntegrityError when there is none, or a too large one."""
        ...

    def on_disk(self, name: str) -> AbstractContextManager[Path]:
        """Give a file as a path, for libraries that open files themselves; valid within the block."""
        ...


class FolderFiles:
    """The files of a bundle that is a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """Return the name of everything in the folder, hidden files included."""
        try:
            return sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in self.path.iterdir())
        except OSError as error:
            raise IntegrityError(
                "the folder cannot be listed", where=self.path, got=error.strerror
            ) from error

    def read(self, name: str) -> bytes:
        """Return the bytes of a file. Raises: IntegrityError when there is none, or a too large one."""
        file = self.path / name
        try:
            found = file.stat()
            # A pipe would make the reader wait for ever.
            problem = None if stat.S_ISREG(found.st_mode) else "no regular file"
            if found.st_size > MAX_BYTES:
                problem = f"{found.st_size} bytes, more than {MAX_BYTES}"
            if problem is None:
                return file.read_bytes()
            cause = None
        except OSError as error:
            problem, cause = error.strerror or type(error).__name__, error
        raise IntegrityError(
            "a file of the bundle is missing or cannot be read",
            where=file,
            got=problem,
            fix="Copy the bundle again",
        ) from cause

    def on_disk(self, name: str) -> AbstractContextManager[Path]:
        """Give the file itself."""
        return contextlib.nullcontext(self.path / name)
