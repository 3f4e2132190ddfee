"""The plan of a sweep: which trials there are. Written before the first one, so that it can go on."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from analyte.contract.errors import InputError, IntegrityError, OutputError
from analyte.contract.run import RECORD_FILE, RunRecord, load_record
from analyte.contract.validation import in_words
from analyte.train.sweep.search_space import Value

PLAN_FILE = "plan.json"
BEST_FOLDER = "best"
_TRIALS_FOLDER = "trials"
_LOCK_FILE = ".lock"


class SweepPlan(BaseModel):
    """The contents of ``plan.json``: everything that decides what the trials are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    analyte_version: str
    """Errors of two versions are not those of the same trials."""
    dataset_sha256: str
    """`analyte.contract.dataset.Dataset.digest`."""
    space: dict[str, Any]
    """As read from the file."""
    seed: int
    """Of the draw and of every training."""
    folds: int | str | None
    trials: tuple[dict[str, Value], ...]
    """Settings of each trial, by the names of the options of ``analyte train``."""


class SweepFolder:
    """The folder of a sweep: ``plan.json``, the run folders ``trials/NNN`` and ``best``, and results.

    A trial is finished when its run folder is there: training puts it in place in one step, at its end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def trial(self, number: int) -> Path:
        """Return the run folder of a trial, counted from 1."""
        return self.path / _TRIALS_FOLDER / f"{number:03d}"

    def record(self, number: int) -> RunRecord | None:
        """Return what a finished trial recorded, or None where it is not finished."""
        folder = self.trial(number)
        if not (folder / RECORD_FILE).is_file():
            return None
        return load_record(folder)

    def start(self, plan: SweepPlan) -> None:
        """Make the folder and write the plan. Raises: OutputError where something is there already."""
        if self.path.exists():
            fix = "Pass --resume to go on with it, or choose another name"
            raise OutputError("exists already", where=self.path, fix=fix)
        self.path.mkdir(parents=True)
        (self.path / _TRIALS_FOLDER).mkdir()
        draft = self.path / f".{PLAN_FILE}"
        draft.write_text(plan.model_dump_json(indent=2) + "\n", "utf-8")
        draft.replace(self.path / PLAN_FILE)

    def check(self, plan: SweepPlan) -> None:
        """Compare the plan with the one in the folder.

        Raises: InputError where they differ or there is none, IntegrityError where it is damaged.
        """
        file = self.path / PLAN_FILE
        if not file.is_file():
            raise InputError(
                "no sweep to go on with", where=self.path, expected=PLAN_FILE, fix="Leave --resume out"
            )
        try:
            found = SweepPlan.model_validate_json(file.read_text("utf-8"))
        except ValidationError as error:
            raise IntegrityError(in_words(error), where=file) from error
        names = {"dataset_sha256": "DATASET", "space": "--space", "seed": "--seed", "folds": "--folds"}
        if plan.analyte_version != found.analyte_version:
            raise InputError(
                "the sweep there was made by another version of analyte, whose trials are not comparable",
                where=self.path,
                expected=found.analyte_version,
                got=plan.analyte_version,
                fix=f"Install analyte {found.analyte_version} to go on with it, or choose another folder",
            )
        for field, option in names.items():
            ours, theirs = getattr(plan, field), getattr(found, field)
            if ours != theirs:
                raise InputError(
                    f"the sweep there was made with another {option}",
                    where=self.path,
                    expected=_shown(theirs),
                    got=_shown(ours),
                    fix="Give what it was made with, or choose another folder",
                )
        if plan.trials != found.trials:
            raise InputError(
                "the sweep there has other trials", where=self.path, expected=f"--trials {len(found.trials)}",
                got=f"{len(plan.trials)}, or another version of analyte", fix="Choose another folder",
            )  # fmt: skip

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other sweeps out while the block runs, and clear what a killed one left half-written.

        Raises: OutputError where another sweep runs in the folder.
        """
        with (self.path / _LOCK_FILE).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputError("another sweep runs there", where=self.path, fix="Wait for it") from error
            for leftover in (self.path / _TRIALS_FOLDER).glob(".*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
