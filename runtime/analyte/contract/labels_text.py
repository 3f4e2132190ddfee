"""The text of labels.csv: what spreadsheets write instead of CSV UTF-8 is refused with what to save as."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from analyte.contract.errors import DatasetError

_REQUIRED = ("path", "value")
_SAVE_AS = "Save it as CSV UTF-8; in Excel: File, Save As, type 'CSV UTF-8 (Comma delimited)'"
_WORKBOOKS = {b"PK\x03\x04": "a workbook (.xlsx or .ods)", b"\xd0\xcf\x11\xe0": "a workbook (.xls)"}
"""First bytes of files that people rename to .csv."""
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read_records(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the cells of every row that has any, with the line on which it starts; the header is the first.

    Raises: DatasetError for a file that cannot be read, is no UTF-8 text or no CSV.
    """
    text = _read_text(file)
    # Strict: an unclosed quote would swallow the rows after it without a word.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise DatasetError(
            f"row {line} is no CSV ({error})", where=file, fix="Look for a quote that is not closed"
        ) from error


def _read_text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DatasetError(error.strerror or "cannot be read", where=file) from error
    for start, kind in _WORKBOOKS.items():
        if data.startswith(start):
            raise DatasetError("not UTF-8 text", where=file, got=kind, fix=_SAVE_AS)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:2]:
        raise DatasetError(
            "not UTF-8 text",
            where=file,
            got="UTF-16, which Excel calls 'Unicode Text'",
            fix=_SAVE_AS,
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            "not UTF-8 text",
            where=file,
            got=f"byte 0x{data[error.start]:02x} in line {at}",
            fix=_SAVE_AS,
        ) from error


def check_header(header: Sequence[str], file: Path) -> None:
    """Refuse a header without the required columns, or with one of them twice. Raises: DatasetError."""
    if not set(_REQUIRED) <= set(header):
        raise DatasetError(
            "a required column is missing",
            where=file,
            expected="columns path and value, separated by commas",
            got=shorten(", ".join(header)) if header else "an empty file",
            fix=_remedy(header),
        )
    twice = sorted(name for name, count in Counter(header).items() if name and count > 1)
    if twice:
        raise DatasetError("a column stands more than once in the header", where=file, got=", ".join(twice))


def _remedy(header: Sequence[str]) -> str | None:
    """Return what to do about a header without the required columns."""
    whole = ",".join(header)
    for separator, name in _OTHER_SEPARATORS.items():
        if set(_REQUIRED) <= {cell.strip().lower() for cell in whole.split(separator)}:
            return (
                f"Its cells are separated by {name}, as Excel does where the decimal sign is a comma. Set "
                "the system's list separator to , and its decimal sign to . and save it again, or in a text "
                f"editor replace every , by . first and then every {separator!r} by a comma"
            )
    capitals = [name for name in header if name.lower() in _REQUIRED and name not in _REQUIRED]
    if capitals:
        renamed = ", ".join(f"{name} to {name.lower()}" for name in capitals)
        return f"Names of columns are written in lower case: rename {renamed}"
    return "Name the column of file names path, and that of the known values value" if header else None


def shorten(text: str) -> str:
    """Return ``text`` cut to 80 characters, for an error."""
    return text if len(text) <= 80 else f"{text[:77]}..."
