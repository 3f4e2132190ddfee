"""Readings and events as tables for other programs: CSV, JSON Lines, Parquet."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from analyte.contract.errors import SettingsError, UnavailableError
from analyte.contract.event import JsonValue
from analyte.contract.output_file import staged_file

ROWS_AT_A_TIME = 5000

READING_FIELDS: dict[str, str] = {
    "sequence": "int64",
    "captured_at": "string",
    "site": "string",
    "value": "double",
    "lower": "double",
    "upper": "double",
    "unit": "string",
    "flags": "string",
    "refused": "bool",
    "reason": "string",
    "detail": "string",
    "analyte": "string",
    "coverage": "double",
    "sigma": "double",
    "frames": "int64",
    "rejected_frames": "int64",
    "spread": "double",
    "device": "string",
    "source": "string",
    "bundle": "string",
    "artifact": "string",
    "engine": "string",
    "provider": "string",
    "capture_age_ms": "double",
    "covariates": "string",
    "quality": "string",
    "colour": "string",
    "regions": "string",
    "latency_ms": "string",
    "frame_sha256": "string",
    "frame_file": "string",
    "id": "string",
}
"""Columns of readings and their types: first what a laboratory's system asks for."""
EVENT_FIELDS: dict[str, str] = {
    "sequence": "int64",
    "at": "string",
    "who": "string",
    "role": "string",
    "what": "string",
    "why": "string",
    "old": "string",
    "new": "string",
    "id": "string",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A reading or an event."""

    sequence: int
    json: str


class Table(Protocol):
    """Takes lines and writes them down."""

    def write(self, lines: list[Line]) -> None:
        """Write some lines."""
        ...

    def close(self) -> None:
        """Write what belongs at the end."""
        ...


def export(
    lines: Iterable[Line],
    path: Path,
    fields: Mapping[str, str],
    *,
    overwrite: bool,
    on_line: Callable[[int], None] = lambda sequence: None,
) -> int:
    """Write lines to a file by its suffix, all or nothing; return how many.

    ``on_line``: is told now and then of the sequence number that was reached.
    Raises: SettingsError for another suffix, UnavailableError without pyarrow, OutputError.
    """
    make = TABLES.get(path.suffix.lower())
    if make is None:
        raise SettingsError("not a format of exports", expected=", ".join(TABLES), got=path.name)
    count = 0
    with staged_file(path, overwrite=overwrite) as file:
        table = make(file, fields)
        for batch in _batches(lines):
            table.write(batch)
            count += len(batch)
            on_line(batch[-1].sequence)
        table.close()
    return count


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    iterator = iter(lines)
    return iter(lambda: list(itertools.islice(iterator, ROWS_AT_A_TIME)), [])


class JsonLinesTable:
    """Each line as it was stored, to the letter."""

    def __init__(self, file: BinaryIO, fields: Mapping[str, str]) -> None:
        self._file = file

    def write(self, lines: list[Line]) -> None:
        """Write some lines."""
        self._file.writelines(line.json.encode() + b"\n" for line in lines)

    def close(self) -> None:
        """Nothing belongs at the end."""


class CsvTable:
    """RFC 4180, UTF-8, with a header; texts that a spreadsheet would compute begin with an apostrophe."""

    def __init__(self, file: BinaryIO, fields: Mapping[str, str]) -> None:
        self._file = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        self._fields = fields
        self._writer = csv.writer(self._file)
        self._writer.writerow(fields)

    def write(self, lines: list[Line]) -> None:
        """Write some lines."""
        self._writer.writerows([_csv_cell(cell) for cell in _cells(line, self._fields)] for line in lines)

    def close(self) -> None:
        """Leave the file to whoever opened it."""
        self._file.flush()
        self._file.detach()


class ParquetTable:
    """Typed columns, compressed."""

    def __init__(self, file: BinaryIO, fields: Mapping[str, str]) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise UnavailableError(
                "Parquet files need the library 'pyarrow', which is not installed",
                got=error,
                fix="pip install 'analyte[parquet]', or choose .csv or .jsonl",
            ) from error
        types = {"int64": pyarrow.int64(), "double": pyarrow.float64(), "bool": pyarrow.bool_()}
        self._arrow = pyarrow
        self._fields = fields
        self._schema = pyarrow.schema(
            [(name, types.get(kind, pyarrow.string())) for name, kind in fields.items()]
        )
        self._writer = pyarrow.parquet.ParquetWriter(file, self._schema)

    def write(self, lines: list[Line]) -> None:
        """Write some lines as one group of rows."""
        rows = (_cells(line, self._fields) for line in lines)
        columns = [list(column) for column in zip(*rows, strict=True)]
        self._writer.write_table(self._arrow.table(columns, schema=self._schema))

    def close(self) -> None:
        """Write the index of the file."""
        self._writer.close()


TABLES: dict[str, Callable[[BinaryIO, Mapping[str, str]], Table]] = {
    ".csv": CsvTable,
    ".jsonl": JsonLinesTable,
    ".parquet": ParquetTable,
}


def _cells(line: Line, fields: Mapping[str, str]) -> list[JsonValue]:
    found: dict[str, JsonValue] = json.loads(line.json)
    found["sequence"] = line.sequence
    return [_cell(found.get(name), kind) for name, kind in fields.items()]


def _cell(value: JsonValue, kind: str) -> JsonValue:
    """Return a value as its column takes it: lists and objects become text."""
    if kind == "double" and isinstance(value, int):
        return float(value)
    if kind != "string" or value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if value != {} else ""


def _csv_cell(cell: JsonValue) -> object:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{cell}"
    return cell
