"""The verdict of ``report.html`` on network and calibration curve."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from analyte.contract.run import FoldRecord
from analyte.train.report import analysis
from analyte.train.report.contents import ReportInputs
from train.report.pages import Page, inputs, page_of, readings, record


class TestVerdict:
    """Said plainly, at the top, and never more than the data hold."""

    @pytest.mark.parametrize(
        ("network", "curve", "said"),
        [
            (0.1, 0.5, "beats the"),
            (0.5, 0.1, "does NOT beat the"),
            (0.3, 0.3, "cannot be told apart from the"),
        ],
    )
    def test_outcomes(self, network: float, curve: float, said: str) -> None:
        rng = np.random.default_rng(1)
        shown = readings(error=network * rng.normal(size=40), baseline_error=curve * rng.normal(size=40))
        maes = [np.abs(values - shown.true).mean() for values in (shown.predicted, shown.baseline)]
        found = re.fullmatch(
            rf"The network {said} calibration curve: MAE (\S+) against (\S+) mg/L, "
            r"a difference of (\S+) with 95 % confidence \((\S+) to (\S+)\)\."
            rf"{' Prefer the curve.' * ('NOT' in said)}",
            analysis.verdict(shown, "mg/L").sentence,
        )
        assert found
        numbers = [float(text) for text in found.groups()]
        assert numbers[:3] == pytest.approx([*maes, maes[0] - maes[1]], abs=1e-3)
        assert numbers[3] < numbers[2] < numbers[4]

    def test_stands_at_the_top(self, made: ReportInputs, page: Page) -> None:
        sentence = analysis.verdict(made.readings, "mg/L").sentence
        assert page.text.index(sentence) < page.text.index("Every figure below") < 1000

    def test_too_few_groups(self) -> None:
        sentence = analysis.verdict(readings(groups=4), "mg/L").sentence
        assert sentence.startswith("The network cannot be told apart from the calibration curve: MAE ")
        assert sentence.endswith(
            "; better in 4 of 4 independent groups, and 95 % confidence takes at least 6."
        )

    def test_no_errors_at_all(self) -> None:
        zero = np.zeros(40)
        sentence = analysis.verdict(readings(error=zero, baseline_error=zero), "mg/L").sentence
        assert "MAE 0 against 0 mg/L, a difference of 0 with 95 % confidence (0 to 0)" in sentence

    def test_validation_split(self, page: Page) -> None:
        assert "Every figure below is of the validation split." in page.text
        assert "coverage is right by construction" in page.text

    def test_test_split_of_other_data_and_cross_validation(self, tmp_path: Path) -> None:
        folds = tuple(FoldRecord(sessions=(f"day{i}",), n=10, mae=0.1, mae_baseline=0.2) for i in range(6))
        page = page_of(
            inputs(record=record(folds=folds), split="test", left_out=3, dataset_sha256="00" * 32), tmp_path
        )
        assert "Every figure below is of test samples that training did not see." in page.text
        assert "do not choose recipes, settings or epochs by this page" in page.text
        assert "3 test samples are left out because training saw their pictures." in page.text
        assert "do not come from the data that the model was trained on" in page.text
        assert "coverage is right by construction" not in page.text
        assert (
            "Cross-validation, 6 folds held out in turn (60 samples): The network beats the calibration "
            "curve: MAE 0.1000 against 0.2000 mg/L, a difference of -0.1000 with 95 % confidence (-0.1000 to "
            "-0.1000)."
        ) in page.text
        assert page.tables["Errors by fold of the cross-validation, mg/L"][1][-1] == "day0"
