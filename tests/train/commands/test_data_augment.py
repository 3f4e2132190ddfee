"""``analyte data augment``: a sheet for every dataset, and no surprise for what stands there already."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import cv2
import pytest

from conftest import Invoke


def test_draws_a_sheet(invoke: Invoke, two_view_study: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet.png"
    outcome = invoke("data", "augment", two_view_study, "-o", out, "--augment", "field", "--size", 16)
    assert outcome.code == 0, outcome.stderr
    assert outcome.stdout == f"{out}: field, 5 samples of dye at 16 px\n"
    assert cv2.imread(str(out)) is not None


def test_never_opens_test_pictures(invoke: Invoke, one_view_study: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(one_view_study, study)
    with (study / "labels.csv").open(newline="") as file:
        tested = [row["path"] for row in csv.DictReader(file) if row["split"] == "test"]
    for path in tested:
        (study / path).write_bytes(b"no picture")
    outcome = invoke("data", "augment", study, "-o", tmp_path / "sheet.png", "--size", 16)
    assert outcome.code == 0, outcome.stderr


def test_refuses_to_replace(invoke: Invoke, two_view_study: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    out.write_text("mine")
    outcome = invoke("data", "augment", two_view_study, "-o", out)
    assert outcome.code == 3
    assert "--overwrite" in outcome.stderr
    assert out.read_text() == "mine"
    assert invoke("data", "augment", two_view_study, "-o", out, "--overwrite", "--size", 16).code == 0
    assert cv2.imread(str(out)) is not None


@pytest.mark.parametrize("wrong", [("--augment", "none"), ("--augment", "kitchen"), ("-o", "sheet.jpg")])
def test_refuses_wrong_usage(
    invoke: Invoke, two_view_study: Path, tmp_path: Path, wrong: tuple[str, str]
) -> None:
    outcome = invoke("data", "augment", two_view_study, "-o", tmp_path / "sheet.png", *wrong)
    assert outcome.code == 2
    assert wrong[1] in outcome.stderr
