"""Writing one file so that a failure leaves nothing half-written and an old file intact."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from analyte.contract.errors import OutputError
from analyte.contract.output import check_output, from_os_error


@contextlib.contextmanager
def staged_file(path: Path, *, overwrite: bool, private: bool = False) -> Iterator[BinaryIO]:
    """Give a temporary file beside ``path`` that takes its place, on disk, only when the block succeeds.

    ``private``: the file is for its owner alone (mode 0600); else as the umask says.
    Raises: OutputError when ``path`` exists without ``overwrite``, is a folder, or the disk is full.
    """
    check_output(path, overwrite=overwrite)
    if path.is_dir():
        raise OutputError("is a folder, and a file is to be written", where=path, fix="Choose another name")
    draft: Path | None = None
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
        draft = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not private:
            draft.chmod(0o666 & ~_umask())
        draft.replace(path)
    except OSError as error:
        raise from_os_error(error, path) from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
