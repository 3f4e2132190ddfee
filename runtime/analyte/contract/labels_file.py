"""Reading labels in any accepted layout; everything wrong with them is listed at once, with its rows."""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from analyte.contract.dataset import SPLITS, Dataset, DatasetSpec, Sample, View
from analyte.contract.errors import DatasetError
from analyte.contract.imaging import IMAGE_SUFFIXES
from analyte.contract.preprocessing import Box
from analyte.contract.validation import in_words

_SHOWN = 8
"""How many bad rows an error names before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the labels, checked."""

    line: int
    path: Path
    value: float
    sample: str
    view: str
    group: str
    session: str
    split: str
    region: Box | None


def load_dataset(path: Path, *, unit: str | None = None, analyte: str | None = None) -> Dataset:
    """Read a dataset: a folder with ``labels.csv``, a CSV file, or a folder of sub-folders named by value.

    ``unit`` and ``analyte`` are needed where there is no ``dataset.toml``, and refused where there is one.
    Pictures are not opened, only looked for.
    Raises: DatasetError naming every bad row (up to a screenful).
    """
    if path.is_file():
        rows = _read_csv(path)
        root = path.parent
    elif (path / "labels.csv").is_file():
        rows = _read_csv(path / "labels.csv")
        root = path
    elif path.is_dir():
        rows = _read_folders(path)
        root = path
    else:
        raise DatasetError("no such dataset", where=path, expected="a folder or a CSV file")
    if not rows:
        raise DatasetError("the dataset is empty", where=path, expected="at least one labelled picture")
    spec = _read_spec(root, rows, unit=unit, analyte=analyte)
    _check_range(rows, spec, path)
    return Dataset(root, spec, _assemble(rows, spec, path))


def _read_spec(root: Path, rows: Sequence[_Row], *, unit: str | None, analyte: str | None) -> DatasetSpec:
    file = root / "dataset.toml"
    if file.is_file():
        if unit is not None:
            raise DatasetError("states the unit already", where=file, fix="Leave --unit out")
        try:
            return DatasetSpec.model_validate(tomllib.loads(file.read_text("utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DatasetError("not valid TOML", where=file, got=error) from error
        except ValidationError as error:
            raise DatasetError(in_words(error), where=file) from error
    if unit is None:
        raise DatasetError(
            "no dataset.toml says in which unit the values are",
            where=root,
            fix="Pass --unit UNIT, or write dataset.toml with name, analyte, unit and range",
        )
    values = [row.value for row in rows]
    views = tuple(sorted({row.view for row in rows}))
    try:
        return DatasetSpec(
            name=root.absolute().name,
            analyte=analyte or "analyte",
            unit=unit,
            range=(min(values), max(values)),
            views=views,
        )
    except ValidationError as error:
        raise DatasetError(in_words(error), where=root) from error


def _read_csv(file: Path) -> list[_Row]:
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError("not UTF-8 text", where=file, got=error) from error
    reader = csv.DictReader(text.splitlines())
    missing = {"path", "value"} - set(reader.fieldnames or ())
    if missing:
        raise DatasetError(
            "a required column is missing",
            where=file,
            expected="columns path and value",
            got=", ".join(reader.fieldnames or ()) or "no header",
        )
    rows: list[_Row] = []
    problems: list[str] = []
    for record in reader:
        try:
            rows.append(_parse(record, file.parent, reader.line_num))
        except ValueError as error:
            problems.append(f"row {reader.line_num}: {error}")
    _refuse(problems, file, "rows that cannot be used")
    return rows


def _parse(record: dict[str, str | None], root: Path, line: int) -> _Row:
    """Check one line; ValueError says what is wrong with it."""
    cell = {key: (value or "").strip() for key, value in record.items() if key is not None}
    if not cell["path"]:
        raise ValueError("no path")
    path = root / cell["path"]
    if not path.is_file():
        raise ValueError(f"no such picture {cell['path']!r}")
    split = cell.get("split", "")
    if split not in ("", *SPLITS):
        raise ValueError(f"split {split!r} is none of train, val, test")
    sample = cell.get("sample") or f"{cell['path']}#{line}"
    group = cell.get("group") or sample
    return _Row(
        line=line,
        path=path,
        value=_number(cell["value"]),
        sample=sample,
        view=cell.get("view") or "sample",
        group=group,
        session=cell.get("session") or group,
        split=split,
        region=_region(cell),
    )


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"value {text!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"value {text!r} is not finite")
    return value


def _region(cell: dict[str, str]) -> Box | None:
    texts = [cell.get(key, "") for key in "xywh"]
    if not any(texts):
        return None
    try:
        x, y, w, h = (int(text) for text in texts)
        return Box(x=x, y=y, w=w, h=h)
    except (ValueError, ValidationError):
        raise ValueError(f"region x,y,w,h = {','.join(texts)} is not four pixel counts") from None


def _read_folders(root: Path) -> list[_Row]:
    """Rows of a folder of sub-folders each named by the value of the pictures in it."""
    rows: list[_Row] = []
    problems: list[str] = []
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for folder in folders:
        try:
            value = _number(folder.name)
        except ValueError:
            problems.append(f"folder {folder.name!r} is not named by a value")
            continue
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in IMAGE_SUFFIXES:
                name = f"{folder.name}/{file.name}"
                rows.append(_Row(0, file, value, name, "sample", name, name, "", None))
    _refuse(problems, root, "folders that cannot be used")
    return rows


def _check_range(rows: Sequence[_Row], spec: DatasetSpec, path: Path) -> None:
    low, high = spec.range
    if not low < high:
        raise DatasetError("the range must be [low, high] with low < high", where=path, got=list(spec.range))
    outside = [f"row {r.line}: value {r.value:g}" for r in rows if not low <= r.value <= high]
    _refuse(outside, path, f"values outside the range {low:g} to {high:g} {spec.unit}")


def _assemble(rows: Sequence[_Row], spec: DatasetSpec, path: Path) -> tuple[Sample, ...]:
    """Join the rows of each sample, views in the order of the specification."""
    by_sample: dict[str, list[_Row]] = {}
    for row in rows:
        by_sample.setdefault(row.sample, []).append(row)
    samples: list[Sample] = []
    problems: list[str] = []
    for name, members in by_sample.items():
        first = members[0]
        views = {row.view: row for row in members}
        if len(members) != len(spec.views) or set(views) != set(spec.views):
            found = ", ".join(row.view for row in members)
            problems.append(f"sample {name!r} (row {first.line}) has views {found}")
            continue
        if len({(row.value, row.group, row.session, row.split) for row in members}) > 1:
            problems.append(f"sample {name!r} (row {first.line}) has rows that contradict each other")
            continue
        samples.append(
            Sample(
                id=name,
                value=first.value,
                views=tuple(View(views[v].path, views[v].region, views[v].line) for v in spec.views),
                group=first.group,
                session=first.session,
                split=next((split for split in SPLITS if split == first.split), None),
            )
        )
    _refuse(problems, path, f"samples without exactly the views {', '.join(spec.views)}, or contradictory")
    return tuple(samples)


def _refuse(problems: Sequence[str], where: Path, what: str) -> None:
    """Raise one error that lists ``problems``, if there are any."""
    if not problems:
        return
    more = len(problems) - _SHOWN
    listed = "; ".join(problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    raise DatasetError(f"{len(problems)} {what}: {listed}", where=where)
