"""Slips in the columns of covariates: `data check` names them, and `train` says so before it starts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyte.train.inspection.covariate_cells import far_from_the_rest
from conftest import Invoke
from train.inspection.planted import Planted, Row, checked, severities, sound


def with_temperatures(**slips: str) -> Planted:
    """Return a study at 20 to 30 degrees, but for the cells of some samples (s00_0 stands for s00-0)."""
    study = sound()
    cells = [f"{t:.2f}" for t in np.random.default_rng(3).uniform(20.0, 30.0, len(study.rows))]
    # Training has both ends, so that no sample of another split lies beyond.
    cells[:2] = ["20.00", "30.00"]
    by_sample = dict(zip((row["sample"] for row in study.rows), cells, strict=True))
    by_sample |= {name.replace("_", "-"): cell for name, cell in slips.items()}
    study.covariate("temp", lambda row: by_sample[row["sample"]])
    return study


class TestNumbers:
    @pytest.mark.parametrize("slip", ["2500", "1e30", "-1e308", "250"])
    def test_a_slip_is_named(self, invoke: Invoke, tmp_path: Path, slip: str) -> None:
        found = checked(invoke, with_temperatures(s03_4=slip).write(tmp_path / "d"))
        assert severities(found) == {"covariate-outlier": "warning"}
        entry = found["covariate-outlier"]
        assert (entry["samples"], entry["rows"]) == (["s03-4"], [36])
        (detail,) = entry["details"]
        assert detail.startswith("temp of sample s03-4 (row 36): ")
        assert f"{float(slip):g}" in detail
        assert detail.endswith("the others 20 to 30")

    def test_a_hot_day_is_none(self, invoke: Invoke, tmp_path: Path) -> None:
        assert checked(invoke, with_temperatures(s03_4="45").write(tmp_path / "d")) == {}

    @pytest.mark.parametrize(
        ("numbers", "far"),
        [
            # Quartiles 1 and 3.5: the rest lie below 3.5 + 10 x 2.5 = 28.5, and a slip above 4 + 25.
            ([0, 1, 1, 3, 3, 4, 29], []),
            ([0, 1, 1, 3, 3, 4, 29.1], [29.1]),
            ([0, 1, 1, 3, 3, 4, -25.1], [-25.1]),
            ([25, 25, 25, 25, 25, 25, 2500], [2500]),
            ([25, 25, 25, 25, 25, 25, 26], []),
            # A flag of 0 and 1, and what is no flag.
            ([0, 0, 0, 0, 0, 0, 0, 1], []),
            ([0] * 30 + [1] * 4 + [1e9], [1e9]),
            # Too few to say which is the slip.
            ([20, 21, 22, 1e30], []),
            # Decades of dilution, every one many times.
            ([10.0**k for k in range(8) for _ in range(10)], []),
            # Twice the largest float overflows.
            ([1, 2, 3, 4, 5, 6, 1.7e308, -1.7e308], [1.7e308, -1.7e308]),
        ],
    )
    def test_rule(self, numbers: list[float], far: list[float]) -> None:
        given = np.asarray(numbers, np.float64)
        assert given[far_from_the_rest(given)].tolist() == far

    def test_a_long_tail_is_none(self) -> None:
        areas = np.random.default_rng(0).lognormal(7.0, 1.0, 500)
        assert not far_from_the_rest(areas).any()


class TestCategories:
    @pytest.mark.parametrize(
        ("other", "alike"),
        [
            ("lot a", True),
            ("LotA", True),
            ("LOT-A", True),
            ("lot_a", True),
            ("Lot B", False),
            ("Lot A+", False),
        ],
    )
    def test_spellings(self, invoke: Invoke, tmp_path: Path, other: str, alike: bool) -> None:
        study = sound()

        def cell(row: Row) -> str:
            if row["sample"] in ("s00-1", "s10-2"):
                return other
            return ("Lot A", "Lot C")[int(row["session"][-1]) % 2]

        study.covariate("lot", cell, numeric=False)
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == ({"categories-alike": "warning"} if alike else {})
        if alike:
            entry = found["categories-alike"]
            assert entry["samples"] == ["s00-1", "s10-2"]
            assert entry["details"] == [f"lot: 'Lot A' (68), {other!r} (2)"]

    @pytest.mark.parametrize(("first", "second", "alike"), [("1-5", "15", False), ("007", "7", True)])
    def test_numbers(self, invoke: Invoke, tmp_path: Path, first: str, second: str, alike: bool) -> None:
        study = sound()
        study.covariate("lot", lambda row: (first, second)[int(row["session"][-1]) % 2], numeric=False)
        found = checked(invoke, study.write(tmp_path / "d"))
        assert set(found) == ({"categories-alike"} if alike else set())

    def test_names_of_samples(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.covariate("id", lambda row: row["sample"], numeric=False)
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"category-per-sample": "warning", "category-not-in-training": "warning"}
        assert found["category-per-sample"]["details"] == [
            "id: 140 of 140, such as s00-0, s00-1, s00-2, and 137 more"
        ]


def test_constants(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    study.covariate("device", lambda row: 7)
    # Another one in the test does not teach the network anything.
    study.covariate("lot", lambda row: "A" if row["split"] != "test" else "B", numeric=False)
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == {"covariate-constant": "note", "category-not-in-training": "warning"}
    assert found["covariate-constant"]["details"] == ["device: 7", "lot: A"]


class TestTrain:
    """What the check finds, `train` says before it refuses or starts; a bad recipe keeps these tests fast."""

    def said(self, invoke: Invoke, study: Planted, folder: Path) -> str:
        outcome = invoke("train", study.write(folder / "d"), "-o", folder / "run", "--recipe", "none")
        assert outcome.code == 2
        return outcome.stderr

    def test_slip(self, invoke: Invoke, tmp_path: Path) -> None:
        said = self.said(invoke, with_temperatures(s03_4="2500"), tmp_path)
        assert "warning: 1 number further from all others" in said
        assert "temp of sample s03-4 (row 36): 2500, the others 20 to 30" in said

    def test_unused_columns_in_one_line(self, invoke: Invoke, tmp_path: Path) -> None:
        study = with_temperatures()
        for row in study.rows:
            row |= {"tempp": "1", "operator": "x"}
        said = self.said(invoke, study, tmp_path)
        (line,) = [line for line in said.splitlines() if "columns of the labels" in line]
        assert line == (
            "analyte: warning: columns of the labels that nothing reads: operator, tempp (did you mean the "
            "covariate temp?)"
        )

    def test_nothing_to_say(self, invoke: Invoke, tmp_path: Path) -> None:
        said = self.said(invoke, with_temperatures(), tmp_path)
        assert "nothing reads" not in said
        assert "covariate" not in said


class TestUnusedColumns:
    @pytest.mark.parametrize(
        ("column", "severity", "detail"),
        [
            ("operator", "note", "operator"),
            ("sesion", "warning", "sesion (did you mean the column session?)"),
            ("temperture", "warning", "temperture (did you mean the covariate temperature?)"),
        ],
    )
    def test_named(self, invoke: Invoke, tmp_path: Path, column: str, severity: str, detail: str) -> None:
        study = sound()
        study.covariate("temperature", lambda row: 20 + int(row["sample"][-1]) % 3)
        for row in study.rows:
            row[column] = "x"
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"unused-column": severity}
        assert found["unused-column"]["details"] == [detail]

    def test_an_empty_column_is_none(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        for row in study.rows:
            row["remarks"] = ""
        assert checked(invoke, study.write(tmp_path / "d")) == {}
