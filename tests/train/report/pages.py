"""Inputs of a report made by hand, and a report as a reader with a parser sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float64Array
from analyte.contract.baseline import Baseline
from analyte.contract.foreign import ForeignCalibration
from analyte.contract.interval import IntervalCalibration
from analyte.contract.label import LabelSpec
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.contract.run import DatasetRecord, RunRecord
from analyte.train.report.contents import ModelFile, Readings, ReportInputs, SplitSummary
from analyte.train.report.rotation import ANGLES, RotationCurve
from analyte.train.report.write import write_report

VOID = {"meta", "img", "br", "link", "input", "hr", "source", "embed", "base"}
HASH = "ab" * 32
FOREIGN = ForeignCalibration(
    mean=(0.0,), directions=(), variances=(), rest=1.0, limit=4.0, refused=0.02, groups=9
)


def record(**changed: Any) -> RunRecord:
    """A run that never was."""
    made = RunRecord(
        recipe="isotropic",
        settings={"epochs": 3, "augment": True, "loss": None},
        seed=7,
        label=LabelSpec(analyte="tartrazine", unit="mg/L", range=(0.0, 10.0)),
        views=("reference", "sample"),
        rotation_invariant=True,
        preprocessing=PreprocessingSpec(size=16),
        parameters=1234,
        dataset=DatasetRecord(name="dye", sha256=HASH, licence="MIT", counts={"train": 8}, seen=()),
        splits={},
        baseline=Baseline(mean=(0.0,), scale=(1.0,), weights=(1.0,), intercept=0.0, penalty=1.0),
        interval=IntervalCalibration(coverage=0.95, quantile=2.0, n=50),
        disagreement_limit=1.0,
        foreign=FOREIGN,
        median_half_width=0.5,
        validation_mae={"keras": 0.1, "baseline": 0.2},
        epochs=3,
        best_epoch=2,
        interrupted=False,
        seconds=61.0,
        versions={"python": "3.11.7", "analyte": "0.1.0"},
        created_at="2026-11-22T07:53:51+00:00",
    )
    return made.model_copy(update=changed)


def readings(
    count: int = 40,
    *,
    true: npt.NDArray[np.floating[Any]] | None = None,
    error: Float64Array | None = None,
    baseline_error: Float64Array | None = None,
    prefix: str = "",
    groups: int = 8,
    edge: int = 16,
    distances: Float64Array | None = None,
) -> Readings:
    """Readings of two views each, at the levels 1 to 5, in four sessions."""
    rng = np.random.default_rng(0)
    values = (np.arange(count) % 5 + 1.0 if true is None else true).astype(np.float64)
    predicted = values + (rng.normal(0.0, 0.1, count) if error is None else error)
    baseline = values + (rng.normal(0.0, 0.5, count) if baseline_error is None else baseline_error)
    return Readings(
        sample_ids=tuple(f"{prefix}s{i}" for i in range(count)),
        sessions=tuple(f"{prefix}day{i // 5 % 4}" for i in range(count)),
        groups=tuple(f"{prefix}g{i // 5 % groups}" for i in range(count)),
        true=values,
        predicted=predicted,
        baseline=baseline,
        lower=predicted - 0.2,
        upper=predicted + 0.2,
        pictures=rng.integers(0, 256, (count, 2, edge, edge, 3), dtype=np.uint8),
        distances=np.linspace(1.0, 3.0, count) if distances is None else distances,
    )


def inputs(**changed: Any) -> ReportInputs:
    """Everything that a report shows."""
    wave = np.sin(np.linspace(0, 8 * np.pi, ANGLES, endpoint=False))
    found: dict[str, Any] = {
        "record": record(),
        "split": "val",
        "dataset": "dye",
        "dataset_sha256": HASH,
        "data": (SplitSummary("train", 80, 16, 8, 5, 1.0, 5.0), SplitSummary("val", 40, 8, 4, 5, 1.0, 5.0)),
        "readings": readings(),
        "history": tuple({"epoch": e, "loss": 3.0 / e, "val_mae": 1.0 / e} for e in (1.0, 2.0, 3.0)),
        "rotation": (RotationCurve("s0", 1.0, 1.0 + 0.02 * wave),),
        "model": ModelFile("cd" * 32, 150 * 1024, macs=123456, latency_ms=1.5),
        "left_out": 0,
        "created_at": "2026-11-23T10:00:00+00:00",
    }
    return ReportInputs(**(found | changed))


@dataclass
class Page:
    """What a parser finds."""

    source: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    """Rows of cells by caption, the head first."""
    headings: list[str] = field(default_factory=list)
    """Scopes of the cells that head a row or column."""

    def all(self, name: str) -> list[dict[str, str]]:
        """Return the attributes of each element of a name."""
        return [attributes for tag, attributes in self.tags if tag == name]


def page_of(made: ReportInputs, folder: Path) -> Page:
    """Write a report and read it."""
    file = folder / "report.html"
    write_report(made, file)
    return read_page(file)


def read_page(file: Path) -> Page:
    """Parse a report; fails where elements are not closed in order."""
    parser = _Parser(Page(file.read_text("utf-8")))
    parser.feed(parser.page.source)
    parser.close()
    assert not parser.open, parser.open
    parser.page.text = " ".join(parser.page.text.split())
    return parser.page


class _Parser(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self.open: list[str] = []
        self._rows: list[list[str]] = []
        self._caption = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
            if tag == "th":
                self.page.headings.append(dict(attrs).get("scope") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())
        if tag == "table":
            self.page.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            return
        self.page.text += data
        if "caption" in self.open:
            self._caption += data
        elif "td" in self.open or "th" in self.open:
            self._rows[-1][-1] += data
