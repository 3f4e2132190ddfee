"""Splits and groups with which no test could be honest are found, each by its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Invoke
from train.inspection.planted import SESSIONS, Planted, checked, severities, sound


def one_per_group(study: Planted) -> None:
    for row in study.rows:
        row["group"] = row["sample"]


def keep(study: Planted, count: int) -> None:
    study.rows = study.rows[:count]


class TestSplits:
    def test_filled_in_part(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        for row in study.of(session="day00"):
            row["split"] = ""
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"split-incomplete": "error"}
        assert found["split-incomplete"]["rows"] == list(range(2, 12))
        assert "10 samples without a split, where 130 have one" in found["split-incomplete"]["what"]

    def test_nothing_to_learn_from(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        for row in study.of(split="train"):
            row["split"] = "val"
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"no-training-samples": "error"}
        assert "30 test, 110 val" in found["no-training-samples"]["what"]


class TestSharedGroups:
    def test_in_test(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.rows[3]["split"] = "test"
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"group-in-test-and-training": "error"}
        entry = found["group-in-test-and-training"]
        assert entry["details"] == ["day00 (9 train, 1 test)"]
        assert entry["samples"] == [f"s00-{level}" for level in range(10)]

    def test_in_validation(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.rows[3]["split"] = "val"
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"group-in-validation-and-training": "warning"}
        assert found["group-in-validation-and-training"]["details"] == ["day00 (9 train, 1 val)"]


class TestSharedSessions:
    """Specimens are kept apart, and their light is not."""

    def test_in_test(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        one_per_group(study)
        for row in study.of(session="day00")[:4]:
            row["split"] = "test"
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"session-in-test-and-training": "warning", "own-groups": "note"}
        entry = found["session-in-test-and-training"]
        assert entry["details"] == ["day00 (4 test, 6 train)"]
        assert entry["samples"] == [f"s00-{level}" for level in range(10)]
        assert "1 of 4 sessions of the test split" in entry["what"]

    def test_in_validation(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        one_per_group(study)
        study.rows[0]["split"] = "val"
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"session-in-validation-and-training": "warning", "own-groups": "note"}
        entry = found["session-in-validation-and-training"]
        assert entry["details"] == ["day00 (1 val, 9 train)"]
        assert "1 of 3 sessions of the validation split" in entry["what"]

    def test_every_session_in_every_split(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        one_per_group(study)
        for index, row in enumerate(study.rows):
            row["split"] = ("train", "val", "test", "train", "train", "train", "train")[index % 7]
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"session-in-test-and-training": "warning", "own-groups": "note"}
        assert len(found["session-in-test-and-training"]["details"]) == SESSIONS

    def test_nothing_where_sessions_stay_whole(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        one_per_group(study)
        assert severities(checked(invoke, study.write(tmp_path / "d"))) == {"own-groups": "note"}


class TestGroups:
    def test_one_only(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.drop("split")
        for row in study.rows:
            row["group"] = "all"
        assert severities(checked(invoke, study.write(tmp_path / "d"))) == {"one-group": "error"}

    @pytest.mark.parametrize("column", [(), ("sample",)])
    def test_not_named(self, invoke: Invoke, tmp_path: Path, column: tuple[str, ...]) -> None:
        study = sound()
        study.drop("split", "group", *column)
        assert severities(checked(invoke, study.write(tmp_path / "d"))) == {"no-groups": "warning"}

    def test_column_left_empty(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.drop("split")
        for row in study.rows:
            row["group"] = ""
        assert severities(checked(invoke, study.write(tmp_path / "d"))) == {"no-groups": "warning"}

    def test_regions_of_photographs_are_no_specimens(self, invoke: Invoke, tmp_path: Path) -> None:
        """Two regions of one photograph are a group, so groups are fewer than samples; nobody named any."""
        study = sound()
        study.drop("split", "group", "sample", "session")
        for row in list(study.rows):
            row.update(x="0", y="0", w="64", h="32")
            study.rows.append({**row, "y": "32"})
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"no-groups": "warning"}


class TestAmount:
    def test_too_few_to_train(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.drop("split")
        keep(study, 7)
        for row in study.rows:
            row["group"] = f"g{int(row['sample'][-1]) // 2}"
        found = checked(invoke, study.write(tmp_path / "d"))
        assert found["too-few-samples"]["severity"] == "error"
        assert "7 samples to learn from, and training needs 8" in found["too-few-samples"]["what"]
        assert "few-samples" not in found

    def test_few_samples_and_groups(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.drop("split")
        keep(study, 90)
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"few-groups": "warning", "few-samples": "note"}
        assert found["few-groups"]["details"] == [f"day{session:02d}" for session in range(9)]

    def test_few_groups_in_the_test(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        for row in study.of(session="day11"):
            row["split"] = "train"
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"small-test": "warning"}
        assert "20 samples in 2 groups" in found["small-test"]["what"]

    def test_few_samples_in_the_test(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.rows = [row for row in study.rows if row["split"] != "test" or row["sample"][-1] in "024579"]
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"small-test": "warning"}
        assert "18 samples in 3 groups" in found["small-test"]["what"]
        assert found["small-test"]["details"] == ["day11, day12, day13"]
