"""Files that travel within a TFLite file: a zip archive behind the model.

TensorFlow Lite's metadata has its associated files there too. Readers of the model do not see it, and
``unzip model.tflite`` shows it to people.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping

from analyte.contract.errors import IntegrityError

HEAD_FILE = "head.tflite"
"""What turns the features of an integer-only model into value and sigma, in float32."""
ABOUT_FILE = "analyte.json"
"""What the model reads, in which unit: so that a stray file explains itself."""
_DATE = (1980, 1, 1, 0, 0, 0)
_LIMIT = 16 * 2**20
"""Bytes that one of them may have."""


def attach(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return the model with ``files`` behind it; the same input gives the same bytes."""
    buffer = io.BytesIO(model)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _DATE), files[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def attached(model: bytes, name: str, *, where: object) -> bytes | None:
    """Return a file that travels within a model; None where it has none of that name.

    Raises: IntegrityError where it is damaged or larger than any is.
    """
    if not zipfile.is_zipfile(io.BytesIO(model)):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            if name not in archive.namelist():
                return None
            with archive.open(name) as file:
                data = file.read(_LIMIT + 1)
    except (
        zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError,
    ) as error:  # fmt: skip
        raise IntegrityError(f"{name} within the model cannot be read", where=where, got=error) from error
    if len(data) > _LIMIT:
        raise IntegrityError(f"{name} within the model is too large", where=where, expected=f"{_LIMIT} bytes")
    return data
