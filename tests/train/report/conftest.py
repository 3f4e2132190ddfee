"""The report that most tests look at."""

from __future__ import annotations

import pytest

from analyte.train.report.contents import ReportInputs
from train.report.pages import Page, inputs, page_of


@pytest.fixture(scope="module")
def made() -> ReportInputs:
    return inputs()


@pytest.fixture(scope="module")
def page(made: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(made, tmp_path_factory.mktemp("report"))
