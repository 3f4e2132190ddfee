"""Writing results so that a failure leaves nothing half-written and an old result intact."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from analyte.contract.errors import OutputError

_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def from_os_error(error: OSError, where: object = None) -> OutputError:
    """Put an operating system error into words, with what to do about the common ones."""
    place = where if where is not None else error.filename
    if error.errno in _FULL_DISK:
        return OutputError("the disk is full", where=place, fix="Free some space and run again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError("not allowed to write or read there", where=place, got=error.strerror)
    return OutputError(error.strerror or str(error) or type(error).__name__, where=place)


def check_output(path: Path, *, overwrite: bool, marker: str | None = None) -> None:
    """Refuse an output that exists, before any long work is done.

    ``marker``: a file that every folder of the kind to be written holds; a folder without it is never
    overwritten, for it is something else, such as the data.
    Raises: OutputError when ``path`` exists and may not be replaced, or its parent is no folder.
    """
    if os.path.lexists(path) and not overwrite:
        raise OutputError("exists already", where=path, fix="Choose another name or pass --overwrite")
    if marker is not None and path.is_dir() and any(path.iterdir()) and not (path / marker).is_file():
        raise OutputError(
            "is not the kind of folder that would be written, so it is not replaced",
            where=path,
            expected=f"a folder with {marker}",
            fix="Choose another name",
        )
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise OutputError("not a folder", where=parent)


@contextlib.contextmanager
def staged_folder(path: Path, *, overwrite: bool, marker: str | None = None) -> Iterator[Path]:
    """Give a temporary folder beside ``path`` that takes its place only when the block succeeds.

    An older folder at ``path`` stays as it is until then, and whatever fails. ``marker``: see `check_output`.
    Raises: OutputError when ``path`` exists without ``overwrite``, cannot be replaced, or the disk is full.
    """
    check_output(path, overwrite=overwrite, marker=marker)
    _check_replaceable(path)
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise from_os_error(error, path) from error
    try:
        # mkdtemp makes folders private; a result is readable as any other file of the user.
        staging.chmod(0o777 & ~_umask())
        yield staging
        _replace(staging, path)
    except OSError as error:
        raise from_os_error(error, _blamed(error, staging, path)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check_replaceable(path: Path) -> None:
    if os.path.lexists(path) and not path.is_dir():
        raise OutputError("is a file, and a folder is to be written", where=path, fix="Choose another name")
    if Path.cwd().is_relative_to(path.resolve()):
        raise OutputError(
            "holds the folder that you are working in, so it is not replaced",
            where=path,
            fix="Choose another name",
        )


def _blamed(error: OSError, staging: Path, path: Path) -> object:
    """Return the file that an error is about; ``path`` for what happens in the staging folder."""
    file = error.filename
    if isinstance(file, (str, Path)) and not Path(file).absolute().is_relative_to(staging):
        return file
    return path


def _replace(staging: Path, path: Path) -> None:
    if not os.path.lexists(path):
        staging.rename(path)
        return
    retired = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    old = retired / path.name
    try:
        path.rename(old)
        staging.rename(path)
    except BaseException:
        # Ctrl-C may come between the two.
        if not os.path.lexists(path):
            old.rename(path)
        raise
    finally:
        # The old result goes only once something stands in its place.
        if os.path.lexists(path):
            shutil.rmtree(retired, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
