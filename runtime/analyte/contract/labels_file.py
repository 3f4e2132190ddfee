"""Reading labels in any accepted layout; everything wrong with them is listed at once, with its rows."""

from __future__ import annotations

import difflib
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from analyte.contract.covariates import Covariate, parse_number
from analyte.contract.dataset import COLUMNS, SPLITS, Dataset, DatasetSpec, Sample, View
from analyte.contract.errors import DatasetError
from analyte.contract.imaging import IMAGE_SUFFIXES
from analyte.contract.labels_text import check_header, read_records, shorten
from analyte.contract.preprocessing import Box
from analyte.contract.validation import in_words, not_toml

# fmt: off
_UNREAD = frozenset({
    ".heic", ".heif", ".avif", ".gif", ".jp2", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2",
})
# fmt: on
"""What phones and cameras write besides: left out without a word, such pictures would be missed by nobody."""
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
    others: dict[str, str] = field(default_factory=dict)
    """Cells of the columns that have no meaning of their own: covariates may be among them."""
    covariates: tuple[Covariate, ...] = ()

    @property
    def place(self) -> str:
        """Where a person finds it."""
        return f"row {self.line}" if self.line else f"picture {self.sample}"


SPEC_FILE = "dataset.toml"
_WRITE_LABELS = (
    "Write labels.csv with columns path and value, one row per picture, or put the pictures into sub-folders "
    "each named by a value"
)
VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".m4v", ".webm", ".mjpeg", ".mpg", ".mpeg"})


def load_dataset(path: Path, *, unit: str | None = None, analyte: str | None = None) -> Dataset:
    """Read a dataset: a folder with ``labels.csv``, a CSV file, or a folder of sub-folders named by value.

    ``unit`` and ``analyte`` are needed where there is no ``dataset.toml``, and refused where there is one.
    Without it the range is that of the values, but for the rows that a ``split`` column marks as test: these
    may lie beyond it.
    Pictures are not opened, only looked for.
    Raises: DatasetError naming every bad row (up to a screenful).
    """
    if path.is_file():
        _refuse_media(path)
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
    _refuse_capitals(rows[0].others, spec, path)
    if (root / SPEC_FILE).is_file():
        _check_range(rows, spec, path)
    rows = _with_covariates(rows, spec, path)
    return Dataset(root, spec, _assemble(rows, spec, path))


def _read_spec(root: Path, rows: Sequence[_Row], *, unit: str | None, analyte: str | None) -> DatasetSpec:
    file = root / SPEC_FILE
    if file.is_file():
        if unit is not None:
            raise DatasetError("states the unit already", where=file, fix="Leave --unit out")
        if analyte is not None:
            raise DatasetError("states the analyte already", where=file, fix="Leave --analyte out")
        return _read_toml(file)
    if unit is None:
        raise DatasetError(
            "no dataset.toml says in which unit the values are",
            where=root,
            fix="Pass --unit UNIT, or write dataset.toml with name, analyte, unit and range",
        )
    # The range is the scale on which labels are learned: test rows have no part in it.
    values = [row.value for row in rows if row.split != "test"] or [row.value for row in rows]
    if min(values) == max(values):
        raise DatasetError(
            "every picture has the same value, so the range of the values is unknown",
            where=root,
            got=f"{values[0]:g} {unit}",
            fix="Add pictures of other values, or write dataset.toml with the range",
        )
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


def _read_toml(file: Path) -> DatasetSpec:
    try:
        return DatasetSpec.model_validate(tomllib.loads(file.read_text("utf-8-sig")))
    except OSError as error:
        raise DatasetError(error.strerror or "cannot be read", where=file) from error
    except ValidationError as error:
        raise DatasetError(in_words(error, DatasetSpec), where=file) from error
    except (ValueError, RecursionError) as error:
        raise not_toml(error, DatasetError, file) from error


def _read_csv(file: Path) -> list[_Row]:
    records = read_records(file)
    _, header = next(records, (0, []))
    header = [name.strip() for name in header]
    check_header(header, file)
    rows: list[_Row] = []
    problems: list[str] = []
    ungrouped: list[str] = []
    seen: Counter[str] = Counter()
    for line, cells in records:
        try:
            rows.append(_parse(_by_column(header, cells), file.parent, line, seen))
        except ValueError as error:
            problems.append(f"row {line}: {error}")
            continue
        if "group" in header and not cells[header.index("group")].strip():
            ungrouped.append(f"row {line}")
    _refuse(problems, file, "rows that cannot be used")
    if len(ungrouped) < len(rows):
        # A spreadsheet often names a group in its first row only; alone, the others would leak into the test.
        _refuse(ungrouped, file, "rows without a group, where others have one")
    return rows


def _by_column(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
        raise ValueError(
            f"{len(cells)} cells under a header of {len(header)} columns (decimals need a point, not a comma)"
        )
    return {name: cell.strip() for name, cell in zip(header, cells, strict=False)}


def _parse(cell: dict[str, str], root: Path, line: int, seen: Counter[str]) -> _Row:
    """Check one row; ValueError says what is wrong with it. ``seen`` counts samples that have no name."""
    if not cell["path"]:
        raise ValueError("no path")
    path = root / cell["path"]
    if not _is_file(path):
        raise ValueError(f"no such picture {shorten(cell['path'])!r}")
    split = cell.get("split", "")
    if split not in ("", *SPLITS):
        raise ValueError(f"split {shorten(split)!r} is none of train, val, test")
    region = _region(cell)
    sample = cell.get("sample") or _name(cell["path"], region, seen)
    # Regions of one photograph belong together: without a group column the photograph is the group.
    group = cell.get("group") or cell.get("sample") or cell["path"]
    return _Row(
        line=line,
        path=path,
        value=_value(cell["value"]),
        sample=sample,
        view=cell.get("view") or "sample",
        group=group,
        session=cell.get("session") or group,
        split=split,
        region=region,
        others={name: text for name, text in cell.items() if name not in COLUMNS},
    )


def _name(path: str, region: Box | None, seen: Counter[str]) -> str:
    """Name a sample after what it shows, never after its row: splits and digests survive a sorted table."""
    name = path if region is None else f"{path}@{region}"
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}#{seen[name]}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be searched
        return False


def _value(text: str) -> float:
    try:
        return parse_number(text)
    except ValueError as error:
        raise ValueError(f"value {error}") from None


def _region(cell: dict[str, str]) -> Box | None:
    texts = [cell.get(key, "") for key in "xywh"]
    if not any(texts):
        return None
    try:
        x, y, w, h = (int("" if "_" in text else text) for text in texts)
        return Box(x=x, y=y, w=w, h=h)
    except ValueError:  # pydantic's errors are ValueErrors too
        raise ValueError(
            f"region x,y,w,h = {shorten(','.join(texts))} is not four whole numbers of pixels, "
            "w and h above 0"
        ) from None


def _read_folders(root: Path) -> list[_Row]:
    """Rows of a folder of sub-folders each named by the value of the pictures in it."""
    rows: list[_Row] = []
    problems: list[str] = []
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for folder in folders:
        try:
            value = _value(folder.name)
        except ValueError:
            problems.append(f"folder {folder.name!r} is not named by a value")
            continue
        files = [file for file in sorted(folder.iterdir()) if _is_picture(file)]
        unread = [file.name for file in sorted(folder.iterdir()) if file.suffix.lower() in _UNREAD]
        if unread:
            names = ", ".join(unread)
            problems.append(
                f"folder {folder.name!r} has pictures of kinds that are not read: {shorten(names)}"
            )
        if not files:
            problems.append(f"folder {folder.name!r} has no {', '.join(sorted(IMAGE_SUFFIXES))}")
        for file in files:
            name = f"{folder.name}/{file.name}"
            rows.append(_Row(0, file, value, name, "sample", name, name, "", None))
    if problems and not rows:
        raise DatasetError(
            "has no labels.csv, and its sub-folders are not named by values",
            where=root,
            expected="labels.csv, or sub-folders such as 0, 2.5 and 10 with pictures in them",
            got=f"folders {shorten(', '.join(repr(folder.name) for folder in folders))}",
            fix=_WRITE_LABELS,
        )
    _refuse(problems, root, "folders that cannot be used")
    if not folders:
        pictures = sum(_is_picture(entry) for entry in root.iterdir())
        raise DatasetError(
            "the dataset is empty: no labels.csv, and no sub-folders named by values",
            where=root,
            got=f"{pictures} pictures of unknown value" if pictures else "no pictures",
            fix=_WRITE_LABELS,
        )
    return rows


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")


def _check_range(rows: Sequence[_Row], spec: DatasetSpec, path: Path) -> None:
    low, high = spec.range
    outside = [f"{r.place}: value {r.value:g}" for r in rows if not low <= r.value <= high]
    _refuse(outside, path, f"values outside the range {low:g} to {high:g} {spec.unit}")


def _refuse_media(path: Path) -> None:
    """Say what to do with a picture or a video where labels are expected."""
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        return
    video = suffix in VIDEO_SUFFIXES
    measure = "daemon --device PROFILE --bundle BUNDLE --source" if video else "read BUNDLE"
    raise DatasetError(
        f"is a {'video' if video else 'picture'}, and no labels say what it shows",
        where=path,
        expected="a folder with labels.csv, or a CSV file",
        fix=f"To measure it: analyte {measure} {path.name}",
    )


def _refuse_capitals(columns: Iterable[str], spec: DatasetSpec, path: Path) -> None:
    """Refuse ``Group`` for ``group``: left out, the column would be missed by nobody."""
    written = [
        name for name in columns if name.lower() in COLUMNS - {name} and name not in spec.covariate_names
    ]
    if written:
        raise DatasetError(
            "names of columns are written in lower case",
            where=path,
            expected=", ".join(name.lower() for name in written),
            got=", ".join(written),
            fix="Rename them in the header",
        )


def _with_covariates(rows: Sequence[_Row], spec: DatasetSpec, path: Path) -> list[_Row]:
    """Read the columns that ``dataset.toml`` names as covariates."""
    absent = [name for name in spec.covariate_names if name not in rows[0].others]
    if absent:
        close = difflib.get_close_matches(absent[0], list(rows[0].others), 1)
        raise DatasetError(
            f"no column for covariate {absent[0]!r}",
            where=path,
            expected=f"columns {', '.join(spec.covariate_names)}, as dataset.toml says",
            got=", ".join(rows[0].others) or "no other column",
            fix=f"Is {close[0]!r} meant? Use one name in both files" if close else None,
        )
    problems: list[str] = []
    read: list[_Row] = []
    for row in rows:
        found: list[Covariate] = []
        for name in spec.covariate_names:
            text = row.others[name]
            try:
                if not text:
                    raise ValueError("is empty")
                found.append(parse_number(text) if name in spec.covariates else text)
            except ValueError as error:
                problems.append(f"{row.place}: {name} {error}")
        read.append(replace(row, covariates=tuple(found)))
    _refuse(problems, path, "covariates that cannot be used")
    return read


def _assemble(rows: Sequence[_Row], spec: DatasetSpec, path: Path) -> tuple[Sample, ...]:
    """Join the rows of each sample, views in the order of the specification."""
    by_sample: dict[str, list[_Row]] = {}
    for row in rows:
        by_sample.setdefault(row.sample, []).append(row)
    samples: list[Sample] = []
    shown: dict[tuple[tuple[Path, Box | None], ...], _Row] = {}
    problems: list[str] = []
    for name, members in by_sample.items():
        first = members[0]
        views = {row.view: row for row in members}
        if len(members) != len(spec.views) or set(views) != set(spec.views):
            found = ", ".join(row.view for row in members)
            problems.append(f"sample {name!r} ({first.place}) has views {found}")
            continue
        if len({(row.value, row.group, row.session, row.split) for row in members}) > 1:
            problems.append(f"sample {name!r} ({first.place}) has rows that contradict each other")
            continue
        if len({row.covariates for row in members}) > 1:
            problems.append(f"sample {name!r} ({first.place}) has other covariates in another of its views")
            continue
        pictures = tuple(View(views[v].path, views[v].region, views[v].line) for v in spec.views)
        other = shown.setdefault(tuple((view.path, view.region) for view in pictures), first)
        if other.value != first.value:
            problems.append(
                f"sample {name!r} ({first.place}) is the picture of {other.place} with another value"
            )
            continue
        samples.append(
            Sample(
                id=name,
                value=first.value,
                views=pictures,
                group=first.group,
                session=first.session,
                split=next((split for split in SPLITS if split == first.split), None),
                covariates=first.covariates,
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
