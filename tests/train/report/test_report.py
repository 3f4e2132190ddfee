"""``report.html``: one file, true numbers, a plain verdict, safe whatever users call their things."""

from __future__ import annotations

import base64
import dataclasses
import html
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.errors import OutputError
from analyte.contract.label import LabelSpec
from analyte.contract.run import DatasetRecord
from analyte.train.report import analysis
from analyte.train.report.contents import ReportInputs
from analyte.train.report.rotation import ANGLES, RotationCurve
from analyte.train.report.write import write_report
from train.report.pages import HASH, Page, inputs, page_of, readings, record

HOSTILE = """<script>alert("1")</script>'&<img src=x onerror=alert(1)> $\\frac{1}{2}$ {{ 7 * 7 }}"""


def assert_self_contained(page: Page) -> None:
    """Nothing is fetched from anywhere, and nothing runs."""
    assert {"script", "link", "iframe", "object", "embed", "base", "form"}.isdisjoint(t for t, _ in page.tags)
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action"):
                assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value[:60])
            assert not re.search(r"url\((?!#)", value), (tag, name, value)
    style = re.findall(r"<style[^>]*>(.*?)</style>", page.source, re.DOTALL)
    assert style
    assert not re.search(r"url\((?!#)|@import|http|//", " ".join(style))
    policy = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


class TestPage:
    """The form of the file."""

    def test_self_contained(self, page: Page) -> None:
        assert_self_contained(page)
        assert "http:" not in page.source
        assert "https:" not in page.source

    def test_ids_are_unique_and_references_resolve(self, page: Page) -> None:
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        targets = [
            value[1:]
            for _, attributes in page.tags
            for name, value in attributes.items()
            if name in ("href", "xlink:href") and value.startswith("#")
        ]
        targets += re.findall(r"url\(#([^)]*)\)", page.source)
        assert set(targets) <= set(ids)
        assert len(page.all("svg")) == 7

    def test_accessible(self, page: Page) -> None:
        assert page.all("html")[0]["lang"] == "en"
        assert all(image["alt"] for image in page.all("img"))
        plots = [a for a in page.all("div") if a.get("class") == "plot"]
        assert len(plots) == 7
        assert all(plot["role"] == "img" and len(plot["aria-label"]) > 40 for plot in plots)
        assert set(page.headings) == {"row", "col"}
        assert len(page.tables) == len(page.all("table"))  # each has a caption of its own
        assert "prefers-color-scheme: dark" in page.source
        assert "@media print" in page.source

    def test_figures_take_the_colours_of_the_page(self, page: Page) -> None:
        drawn = "".join(re.findall(r"<svg.*?</svg>", page.source, re.DOTALL))
        assert not re.search(r"#[0-9a-f]{6}\b", drawn.replace("#000000", ""))
        for name in ("ink", "faint", "grid", "network", "curve"):
            assert f"var(--{name})" in drawn
            assert f"--{name}:" in page.source

    def test_figures_bring_no_style_of_their_own(self, page: Page) -> None:
        assert len(page.all("style")) == 1
        assert "<!--" not in page.source

    def test_every_reading_is_drawn(self, page: Page) -> None:
        drawings = re.findall(r"<svg.*?</svg>", page.source, re.DOTALL)
        # Learning curve; predicted, residuals; by session (network only); agreement.
        for drawing, points in zip(drawings[1:5], (80, 80, 40, 80), strict=True):
            assert points <= drawing.count("<use ") < points + 80

    def test_same_inputs_same_bytes(self, made: ReportInputs, page: Page, tmp_path: Path) -> None:
        assert page_of(made, tmp_path).source == page.source

    def test_many_readings_stay_small(self, tmp_path: Path) -> None:
        shown = readings(3000, edge=64, true=np.linspace(0, 10, 3000))
        page = page_of(inputs(readings=shown, rotation=(), history=()), tmp_path)
        assert len(page.source) < 3e6
        assert_self_contained(page)


class TestNumbers:
    """What the tables hold is what the arrays say."""

    def test_errors(self, made: ReportInputs, page: Page) -> None:
        rows = {row[0]: row[1:] for row in page.tables["Errors of 40 readings"]}
        for column, values in enumerate((made.readings.predicted, made.readings.baseline)):
            error = values - made.readings.true
            expected = {
                "mean absolute error (MAE), mg/L": np.abs(error).mean(),
                "root mean squared error (RMSE), mg/L": np.sqrt((error**2).mean()),
                "bias (mean of predicted minus true), mg/L": error.mean(),
                "largest absolute error, mg/L": np.abs(error).max(),
            }
            for name, value in expected.items():
                assert float(rows[name][column]) == pytest.approx(value, rel=1e-3), name
            share = 100 * (np.abs(error) / made.readings.true).mean()
            assert float(rows["mean absolute percentage error (MAPE)"][column][:-2]) == pytest.approx(
                share, abs=0.05
            )
        inside = np.abs(made.readings.predicted - made.readings.true) <= 0.2
        assert rows["true value within the interval"][0] == f"{100 * inside.mean():g} %"

    @pytest.mark.parametrize(("caption", "key"), [("level", "true"), ("session", "sessions")])
    def test_errors_by_level_and_session(
        self, made: ReportInputs, page: Page, caption: str, key: str
    ) -> None:
        head, *rows = page.tables[f"Errors by {caption}, mg/L"]
        assert head[:4] == [caption, "n", "MAE", "MAE, calibration curve"]
        keys = np.array([f"{k:g}" if key == "true" else k for k in getattr(made.readings, key)])
        assert [row[0] for row in rows] == sorted(set(keys))
        for name, n, mae, curve, bias, *_ in rows:
            own = keys == name
            error = (made.readings.predicted - made.readings.true)[own]
            other = (made.readings.baseline - made.readings.true)[own]
            assert int(n) == own.sum()
            assert float(mae) == pytest.approx(np.abs(error).mean(), abs=1e-4)
            assert float(curve) == pytest.approx(np.abs(other).mean(), abs=1e-4)
            assert float(bias) == pytest.approx(error.mean(), abs=1e-4)

    def test_ranges_stand_in_for_many_levels(self) -> None:
        shown = readings(40, true=np.linspace(0.3, 9.7, 40))
        rows = analysis.level_table(shown, "mg/L").rows
        assert [row[0] for row in rows] == [f"{i} to {i + 1}" for i in range(10)]
        assert sum(int(row[1]) for row in rows) == 40
        assert int(rows[0][1]) == int((shown.true < 1).sum())

    @pytest.mark.parametrize(("step", "first"), [(0.1, "0 to 0.5"), (0.1 / 3, "0 to 0.1"), (70, "0 to 200")])
    def test_ranges_are_round(self, step: float, first: str) -> None:
        """Values on an edge stand in the range above, whatever binary fractions make of them."""
        shown = readings(22, true=np.arange(22) * step)
        rows = analysis.level_table(shown, "mg/L").rows
        assert rows[0][0] == first
        width = float(first.split()[-1])
        assert [int(row[1]) for row in rows] == np.bincount(
            np.floor(shown.true / width + 1e-9).astype(int)
        ).tolist()

    def test_the_worst_sessions_of_many(self) -> None:
        many = readings(200)
        error = np.full(200, 0.01)
        error[7] = 3.0
        shown = dataclasses.replace(
            many, predicted=many.true + error, sessions=tuple(f"day{i // 2:03}" for i in range(200))
        )
        table = analysis.session_table(shown, "mg/L")
        assert len(table.rows) == 30
        assert "day003" in [row[0] for row in table.rows]
        assert table.note == "The 30 worst of 100 sessions by MAE."

    def test_figures_of_merit(self, made: ReportInputs, page: Page) -> None:
        rows = {row[0]: row[1:] for row in page.tables["Figures of merit after ICH Q2(R2)"]}
        slope, intercept = np.polyfit(made.readings.true, made.readings.predicted, 1)
        residual = made.readings.predicted - slope * made.readings.true - intercept
        deviation = np.sqrt((residual**2).sum() / 38)
        assert float(rows["slope S of predicted on true"][0]) == pytest.approx(slope, rel=1e-3)
        assert float(rows["detection limit (LOD), mg/L"][0]) == pytest.approx(
            3.3 * deviation / slope, rel=1e-3
        )
        assert "40 readings at 5 levels." in page.text

    def test_no_figure_has_its_reason(self) -> None:
        table = analysis.merit_table(readings(4, true=np.full(4, 2.0)), "mg/L")
        rows = {row[0]: row[1:] for row in table.rows}
        assert rows["detection limit (LOD), mg/L"][0].startswith("none: 1 different true values")
        assert "Levels measured: 1; ICH Q2(R2) recommends at least 5." in table.note

    def test_coverage(self, made: ReportInputs, page: Page) -> None:
        inside = np.abs(made.readings.predicted - made.readings.true) <= 0.2
        assert f"{inside.sum()} of 40 true values lie in their interval" in page.text
        _, *rows = page.tables["Coverage by group"]
        for name, n, share in rows:
            own = np.array(made.readings.groups) == name
            assert (int(n), share) == (own.sum(), f"{100 * inside[own].mean():g} %")
        assert len(rows) == 8

    def test_foreign(self, page: Page, tmp_path: Path) -> None:
        """A limit of 4, by hand: 1 of 20 on two days, none on the others."""
        distances = np.full(40, 1.5)
        distances[[0, 5]] = 4.5, 40.0
        shown = readings(distances=distances)
        _, *rows = (found := page_of(inputs(readings=shown, split="test"), tmp_path)).tables[
            "Distance from the training pictures by session, standard deviations"
        ]
        assert rows == [
            ["day0", "10", "1.500", "4.500", "10 %"],
            ["day1", "10", "1.500", "40", "10 %"],
            ["day2", "10", "1.500", "1.500", "0 %"],
            ["day3", "10", "1.500", "1.500", "0 %"],
        ]
        assert "farther than 4 standard deviations" in found.text
        assert "to refuse 2 % of the good pictures of new groups, on 9 independent groups" in found.text
        assert "Of the readings shown it refuses 2 of 40: 5 %." in found.text
        assert "These samples took part in the calibration" not in found.text
        alt = "median 1.500, largest 40 standard deviations. 2 lie beyond the limit of 4."
        assert [a for a in found.all("div") if a.get("aria-label", "").endswith(alt)]
        assert "These samples took part in the calibration" in page.text
        assert "Of the readings shown it refuses 0 of 40: 0 %." in page.text

    def test_no_limit_for_foreign_pictures(self, tmp_path: Path) -> None:
        shown = dataclasses.replace(readings(), distances=None)
        page = page_of(inputs(record=record(foreign=None), readings=shown), tmp_path)
        assert "No limit was calibrated" in page.text
        assert len(page.all("svg")) == 6

    def test_rotation(self, page: Page) -> None:
        _, row = page.tables["Value over the full circle, mg/L"]
        # A sine of 0.02 mg/L: standard deviation 0.02 / sqrt(2), 0.141 % of a range of 10.
        assert row[:3] == ["s0", "1", "1"]
        assert float(row[3]) == pytest.approx(0.02 / np.sqrt(2), rel=1e-3)
        assert row[4] == "0.141 %"
        assert float(row[5]) == pytest.approx(0.02, rel=0.02)
        assert "interpolates" in page.text

    def test_data_and_model(self, page: Page) -> None:
        assert page.tables["Samples by split"][1] == ["train", "80", "16", "8", "5", "1", "5"]
        for text in ("isotropic", "1234", "123456", "150 KiB", "61 s, 3 epochs, kept: 2", "16 x 16 px"):
            assert text in page.text
        for digest in (HASH, "cd" * 32, record().preprocessing.digest()):
            assert digest in page.text
        assert "2026-11-22 07:53 UTC" in page.text

    def test_worst_pictures(self, made: ReportInputs, page: Page) -> None:
        shown = made.readings
        worst = int(np.argmax(np.abs(shown.predicted - shown.true)))
        images = page.all("img")
        assert len(images) == 12 * 2
        assert images[0]["alt"] == f"Sample s{worst}, view reference"
        assert images[1]["alt"] == f"Sample s{worst}, view sample"
        png = base64.b64decode(images[1]["src"].split(",")[1])
        decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        np.testing.assert_array_equal(decoded[:, :, ::-1], shown.pictures[worst, 1])


class TestDegenerate:
    """Little data, strange data, strange names."""

    def test_names_are_escaped(self, tmp_path: Path) -> None:
        label = LabelSpec(analyte=HOSTILE, unit=HOSTILE, range=(0.0, 10.0))
        hostile = record(
            recipe=HOSTILE,
            settings={HOSTILE: HOSTILE},
            label=label,
            views=(HOSTILE, "sample"),
            dataset=DatasetRecord(name=HOSTILE, sha256=HASH, licence=HOSTILE, counts={}, seen=()),
            versions={"analyte": HOSTILE},
        )
        curve = RotationCurve(HOSTILE, 1.0, np.ones(ANGLES))
        made = inputs(record=hostile, dataset=HOSTILE, readings=readings(prefix=HOSTILE), rotation=(curve,))
        page = page_of(made, tmp_path)
        assert_self_contained(page)
        assert "<script>" not in page.source
        assert len(page.all("img")) == 24
        assert page.text.count(HOSTILE) > 30
        # In figures too, where a dollar sign would start a formula.
        drawn = html.unescape("".join(re.findall(r"<svg.*?</svg>", page.source, re.DOTALL)))
        assert drawn.count(f"true, {HOSTILE}<") == 9
        assert "{{ 7 * 7 }}" in page.text

    def test_one_reading(self, tmp_path: Path) -> None:
        """In letters that the plotting font lacks, of a value that changes when the picture is turned."""
        only = readings(1, prefix="浓度 ")
        shown = dataclasses.replace(only, groups=only.sessions)
        page = page_of(
            inputs(record=record(rotation_invariant=False), readings=shown, history=(), rotation=()), tmp_path
        )
        assert "Not recorded." in page.text
        assert "Turning a picture changes its value in this data set" in page.text
        assert "Coverage by group" not in page.tables
        assert "浓度 day0" in page.text
        assert "nan" not in page.text.lower().split()

    def test_numbers_that_are_none(self) -> None:
        with pytest.raises(ValueError, match="finite"):
            readings(error=np.full(40, np.nan))
        with pytest.raises(ValueError, match="same number"):
            dataclasses.replace(readings(), groups=())


class TestFile:
    """An old report survives whatever fails."""

    def test_not_a_folder(self, made: ReportInputs, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x", "utf-8")
        with pytest.raises(OutputError):
            write_report(made, tmp_path / "file" / "report.html")

    def test_old_report_stays_when_writing_fails(
        self, made: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "report.html"
        file.write_text("old", "utf-8")

        def fail(self: Path, target: Path) -> Path:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(OutputError, match="disk is full"):
            write_report(made, file)
        assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
        assert file.read_text("utf-8") == "old"


def test_needs_no_tensorflow() -> None:
    program = "import sys, analyte.train.report.write; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=120, check=False).returncode == 0


def test_wheel_holds_the_template() -> None:
    from hatchling.builders.wheel import WheelBuilder

    root = Path(__file__).parents[3]
    packed = {file.distribution_path for file in WheelBuilder(str(root)).recurse_included_files()}
    assert {"analyte/train/report/report.html.j2", "analyte/train/report/report.css"} <= packed
