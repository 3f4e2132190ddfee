"""``analyte data check`` and ``data stats``: exit codes, what programs read, figures worked out by hand."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from conftest import Invoke
from train.inspection.planted import Planted, sound
from train.tiny_studies import Study, write_study

FINDING_FIELDS = {"code", "severity", "what", "fix", "samples", "rows", "files", "pairs", "details"}
EDGE = 16
"""Edge of the pictures whose figures are worked out by hand, pixels: the least that may be measured."""


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound().write(tmp_path_factory.mktemp("clean") / "d")


def with_covariate(cells: Sequence[str], *, numeric: bool = True) -> Planted:
    """Return a sound study of two views with a covariate whose cells repeat."""
    study = sound(("reference", "sample"))
    left = iter(np.resize(np.asarray(cells), len(study.rows)).tolist())
    study.covariate("temp", lambda row: next(left), numeric=numeric)
    return study


class TestCheck:
    def test_clean(self, invoke: Invoke, clean: Path) -> None:
        outcome = invoke("data", "check", clean)
        assert (outcome.code, outcome.stderr) == (0, "")
        assert outcome.stdout == (
            "dye: 140 samples (90 train, 20 val, 30 test), 14 groups, dye 0 to 10 mg/L\n"
            "Nothing wrong was found.\n"
        )

    def test_clean_as_json(self, invoke: Invoke, clean: Path) -> None:
        outcome = invoke("data", "check", clean, "--json")
        assert outcome.code == 0
        assert json.loads(outcome.stdout) == {
            "dataset": str(clean),
            "name": "dye",
            "samples": 140,
            "passed": True,
            "counts": {"error": 0, "warning": 0, "note": 0},
            "findings": [],
        }

    def test_worst_first(self, invoke: Invoke, tmp_path: Path) -> None:
        """Three faults, found by checks in another order."""
        study = sound()
        study.rows = study.rows[40:]
        study.rows[3]["split"] = "test"
        study.toml["range"] = "[-5.0, 10.0]"
        folder = study.write(tmp_path / "d")
        outcome = invoke("data", "check", folder, "--json")
        assert outcome.code == 3
        printed = json.loads(outcome.stdout)
        assert not printed["passed"]
        assert printed["counts"] == {"error": 1, "warning": 1, "note": 1}
        assert [entry["code"] for entry in printed["findings"]] == [
            "group-in-test-and-training",
            "range-not-covered",
            "few-samples",
        ]
        assert all(set(entry) == FINDING_FIELDS for entry in printed["findings"])
        text = invoke("data", "check", folder)
        assert text.code == 3
        assert "ERROR    group-in-test-and-training: 1 group in two splits" in text.stdout
        assert "-> Put every group into one split." in text.stdout
        assert text.stdout.endswith("1 error, 1 warning, 1 note.\n")

    def test_warnings_pass(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.toml["range"] = "[-5.0, 10.0]"
        outcome = invoke("data", "check", study.write(tmp_path / "d"))
        assert outcome.code == 0
        assert outcome.stdout.endswith("0 errors, 1 warning, 0 notes.\n")

    def test_folders_named_by_values(self, invoke: Invoke, tmp_path: Path) -> None:
        """No labels file, so no rows and no columns; the unit is the caller's."""
        study = sound()
        for row in study.rows:
            folder = tmp_path / "d" / row["value"]
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{row['sample']}.png"), study.pictures[row["path"]])
        assert invoke("data", "check", tmp_path / "d").code == 3
        outcome = invoke("data", "check", tmp_path / "d", "--unit", "mg/L", "--json")
        assert outcome.code == 0, outcome.stderr
        (entry,) = json.loads(outcome.stdout)["findings"]
        assert (entry["code"], entry["rows"]) == ("no-groups", [])

    @pytest.mark.parametrize(
        ("cells", "numeric", "named"),
        [
            (("20", "20", "", ""), True, "row 4: temp is empty"),
            (("20", "20", "warm", "warm"), True, "row 4: temp 'warm' is not a number"),
            (("20", "20", "nan", "nan"), True, "row 4: temp 'nan' is not finite"),
            (("a", "a", "", ""), False, "row 4: temp is empty"),
            (("20", "21"), True, "(row 2) has other covariates in another of its views"),
        ],
    )
    def test_covariates_that_cannot_be_read(
        self, invoke: Invoke, tmp_path: Path, cells: Sequence[str], numeric: bool, named: str
    ) -> None:
        """The labels are refused as a whole, as training refuses them, with the rows."""
        folder = with_covariate(cells, numeric=numeric).write(tmp_path / "d")
        outcome = invoke("data", "check", folder, "--json")
        assert outcome.code == 3
        assert outcome.stdout == ""
        assert named in outcome.stderr

    def test_covariate_without_a_column(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.toml["covariates"] = '["temp"]'
        outcome = invoke("data", "check", study.write(tmp_path / "d"))
        assert outcome.code == 3
        assert "no column for covariate 'temp'" in outcome.stderr

    def test_sessions_of_a_trainable_study_are_whole(self, invoke: Invoke, tmp_path: Path) -> None:
        folder = write_study(tmp_path / "d", Study(samples=120))
        printed = json.loads(invoke("data", "check", folder, "--json").stdout)
        assert {entry["code"] for entry in printed["findings"]} == {
            "few-groups",
            "smaller-than-network",
            "small-test",
        }

    def test_no_such_dataset(self, invoke: Invoke, tmp_path: Path) -> None:
        outcome = invoke("data", "check", tmp_path / "nowhere")
        assert outcome.code == 3
        assert "no such dataset" in outcome.stderr


def flat(red: int, green: int, blue: int) -> UInt8Array:
    """Return one colour, uint8 ``[EDGE, EDGE, 3]``, RGB."""
    return np.full((EDGE, EDGE, 3), (red, green, blue), np.uint8)


def halves(left: int, right: int, width: int = EDGE) -> UInt8Array:
    """Return two greys side by side, uint8 ``[EDGE, width, 3]``."""
    picture = np.full((EDGE, width, 3), left, np.uint8)
    picture[:, width // 2 :] = right
    return picture


def by_hand(folder: Path) -> Path:
    """Write six samples whose figures can be worked out in the head."""
    samples: list[tuple[str, str, str, str, UInt8Array]] = [
        # value, group, session, split, picture
        ("0", "g1", "mon", "train", flat(100, 50, 20)),
        ("2", "g1", "mon", "train", flat(200, 70, 40)),
        ("2", "g2", "mon", "val", flat(30, 60, 90)),
        ("10", "g3", "tue", "test", halves(255, 0)),
        ("10", "g3", "tue", "test", flat(255, 100, 20)),
        ("4", "g3", "tue", "test", halves(50, 150, 2 * EDGE)),
    ]
    (folder / "images").mkdir(parents=True)
    rows = []
    for index, (value, group, session, split, picture) in enumerate(samples):
        name = f"images/{index}.png"
        assert cv2.imwrite(str(folder / name), np.ascontiguousarray(picture[:, :, ::-1]))
        row = {"path": name, "value": value, "sample": f"s{index}", "group": group}
        rows.append({**row, "session": session, "split": split})
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "dataset.toml").write_text(
        'name = "six"\nanalyte = "dye"\nunit = "mg/L"\nrange = [0.0, 10.0]\n', "utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return by_hand(tmp_path_factory.mktemp("six") / "d")


@pytest.fixture
def printed(invoke: Invoke, six: Path) -> dict[str, Any]:
    outcome = invoke("data", "stats", six, "--size", EDGE, "--json")
    assert outcome.code == 0, outcome.stderr
    result: dict[str, Any] = json.loads(outcome.stdout)
    return result


class TestStats:
    def test_counts(self, printed: dict[str, Any], six: Path) -> None:
        assert {key: printed[key] for key in ("dataset", "name", "analyte", "unit", "range", "views")} == {
            "dataset": str(six),
            "name": "six",
            "analyte": "dye",
            "unit": "mg/L",
            "range": [0.0, 10.0],
            "views": ["sample"],
        }
        assert (printed["samples"], printed["pictures"], printed["network_px"]) == (6, 6, EDGE)
        assert printed["splits"] == {"train": 2, "val": 1, "test": 3}
        assert printed["groups"] == {"count": 3, "smallest": 1, "largest": 3}
        assert printed["sessions"] == [
            {
                "session": "mon",
                "samples": 3,
                "groups": 2,
                "splits": {"train": 2, "val": 1},
                "lowest": 0.0,
                "highest": 2.0,
            },
            {
                "session": "tue",
                "samples": 3,
                "groups": 1,
                "splits": {"test": 3},
                "lowest": 4.0,
                "highest": 10.0,
            },
        ]
        assert printed["sizes"] == [
            {"view": "sample", "width_px": 16, "height_px": 16, "pictures": 5},
            {"view": "sample", "width_px": 32, "height_px": 16, "pictures": 1},
        ]

    def test_values(self, printed: dict[str, Any]) -> None:
        # Four different values in six samples are no levels.
        assert printed["levels"] is None
        assert printed["histogram"]["edges"] == pytest.approx(range(11))
        assert printed["histogram"]["samples"] == {
            "train": [1, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            "val": [0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            "test": [0, 0, 0, 0, 1, 0, 0, 0, 0, 2],
        }

    def test_exposure(self, printed: dict[str, Any]) -> None:
        entries = {(entry["split"], entry["session"]): entry for entry in printed["exposure"]}
        assert list(entries) == [
            (None, None),
            ("train", None),
            ("val", None),
            ("test", None),
            (None, "mon"),
            (None, "tue"),
        ]
        train, test, monday = entries["train", None], entries["test", None], entries[None, "mon"]
        assert train["mean_rgb"] == [150.0, 60.0, 30.0]
        assert monday["mean_rgb"] == [110.0, 60.0, 50.0]
        # (127.5 + 255 + 100) / 3, (127.5 + 100 + 100) / 3, (127.5 + 20 + 100) / 3
        assert test["mean_rgb"] == [160.83, 109.17, 82.5]
        # Half of the first picture in every channel, and the second one's red.
        assert test["white"] == [0.5, 0.16667, 0.16667]
        assert test["black"] == [0.16667] * 3
        assert train["white"] == train["black"] == [0.0] * 3
        # A black half without colour is a background.
        assert (test["pictures"], test["over_exposed"], test["under_exposed"]) == (3, 2, 0)
        assert entries[None, None]["over_exposed"] == 2
        assert train["sharpness"] == 0.0
        # The second derivative is the step beside an edge, in two of 16 columns, and 0 elsewhere. Variances
        # of the test pictures are 255^2 / 8, 0, and, once 32 columns are reduced to 16, 100^2 / 8.
        assert test["sharpness"] == 1250.0

    def test_levels(self, invoke: Invoke, clean: Path) -> None:
        printed = json.loads(invoke("data", "stats", clean, "--json").stdout)
        assert len(printed["levels"]) == 10
        assert printed["levels"][1] == {"value": 1.1111, "samples": {"train": 9, "val": 2, "test": 3}}

    def test_text(self, invoke: Invoke, six: Path) -> None:
        outcome = invoke("data", "stats", six, "--size", EDGE)
        assert outcome.code == 0
        lines = outcome.stdout.splitlines()
        assert lines[:4] == [
            "six: dye, 0 to 10 mg/L",
            "6 samples, 6 pictures (2 train, 1 val, 3 test)",
            "3 groups of 1 to 3 samples; 2 sessions",
            "sizes of regions: sample: 16x16 px (5), 32x16 px (1)",
        ]
        rows = [line.split() for line in lines]
        # The longest bar is 40 characters, of the two samples at each of 2 and 10.
        assert ["2", "to", "3", "1", "1", "0", "#" * 40] in rows
        assert ["0", "to", "1", "1", "0", "0", "#" * 20] in rows
        assert ["sample", "train", "2", "150", "60", "30", "0.0", "0.0", "0", "0", "0"] in rows
        assert ["sample", "test", "3", "161", "109", "82", "16.7", "50.0", "0", "2", "1250"] in rows

    def test_picture(self, invoke: Invoke, six: Path, tmp_path: Path) -> None:
        file = tmp_path / "new" / "set.png"
        assert invoke("data", "stats", six, "--size", EDGE, "--picture", file).code == 0
        drawn = cv2.imread(str(file))
        assert drawn is not None
        assert drawn.std() > 10
        again = invoke("data", "stats", six, "--size", EDGE, "--picture", file)
        assert again.code == 3
        assert "--overwrite" in again.stderr
        assert invoke("data", "stats", six, "--picture", file, "--overwrite").code == 0

    @pytest.mark.parametrize("wrong", [("--picture", "set.jpg"), ("--overwrite",), ("--size", "4")])
    def test_wrong_usage(self, invoke: Invoke, six: Path, wrong: tuple[str, ...]) -> None:
        outcome = invoke("data", "stats", six, *wrong)
        assert outcome.code == 2
        assert wrong[0] in outcome.stderr

    def test_damaged_picture(self, invoke: Invoke, tmp_path: Path) -> None:
        folder = by_hand(tmp_path / "d")
        (folder / "images" / "3.png").write_bytes(b"no picture")
        outcome = invoke("data", "stats", folder)
        assert outcome.code == 3
        assert outcome.stdout == ""
        assert "1 picture cannot be used" in outcome.stderr
