"""The run folder, where training and export meet: ``model.keras``, ``run.json`` and ``samples.npz``.

``model.keras`` holds stock Keras layers only and follows the graph contract: input ``image`` uint8
``[N, H, W, 3]`` (``[N, V, H, W, 3]`` for V > 1 views), RGB, and, where the run has K > 0 covariates, input
``covariates`` float32 ``[N, K]`` (see `analyte.contract.covariates`); outputs ``value`` float32 ``[N]`` in
the label's unit, ``sigma`` float32 ``[N]`` in the label's unit, ``features`` float32 ``[N, F]``. Everything
from the picture up to the layer named ``features`` may be quantized; what follows, where the covariates join,
is the head and stays in float32.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.baseline import Baseline
from analyte.contract.covariates import CovariateSpec
from analyte.contract.dataset import Dataset, Sample, sample_hashes
from analyte.contract.errors import InputError, IntegrityError
from analyte.contract.foreign import ForeignCalibration
from analyte.contract.interval import IntervalCalibration
from analyte.contract.label import LabelSpec
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.contract.validation import in_words

RUN_SCHEMA = 1
MODEL_FILE = "model.keras"
RECORD_FILE = "run.json"
SAMPLES_FILE = "samples.npz"
REPORT_FILE = "report.html"
"""For people; a run may lack it."""
FEATURES_LAYER = "features"

NOT_ARRAYS = (
    ValueError, KeyError, EOFError, TypeError, NotImplementedError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy raises for a file of arrays that is damaged, or is something else."""


class DatasetRecord(BaseModel):
    """Which data a run saw."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: str
    """`analyte.contract.dataset.Dataset.digest`."""
    licence: str
    counts: dict[str, int]
    """Samples by split."""
    seen: tuple[str, ...]
    """Short hashes of the train and val samples (`analyte.contract.dataset.sample_hashes`), sorted: no error
    that is measured on them counts."""
    colours: str = ""
    """How the pictures' colours were corrected: `analyte.contract.dataset.DatasetSpec.colours`."""

    @classmethod
    def of(cls, dataset: Dataset, seen: Iterable[Sample]) -> Self:
        """Return the record of ``dataset``, of which training or calibration saw the samples ``seen``.

        Raises: OSError where one of their files cannot be read.
        """
        return cls(
            name=dataset.spec.name,
            sha256=dataset.digest(),
            licence=dataset.spec.licence,
            counts=dataset.counts(),
            seen=tuple(sorted(sample_hashes(tuple(seen)))),
            colours=dataset.spec.colours,
        )


class FoldRecord(BaseModel):
    """Errors on one fold of a cross-validation, label's unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sessions: tuple[str, ...]
    """What was held out."""
    n: int
    mae: float
    """Mean absolute error of a network that was trained without it."""
    mae_baseline: float
    """The same of the calibration curve."""


class RunRecord(BaseModel):
    """The contents of ``run.json``. All errors are in the label's unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = Field(default=RUN_SCHEMA, ge=1, le=RUN_SCHEMA)
    recipe: str
    settings: dict[str, str | int | float | bool | None]
    """Everything that the command line could set."""
    seed: int | None
    """None where analyte did not train the network."""
    label: LabelSpec
    views: tuple[str, ...]
    covariates: CovariateSpec = CovariateSpec()
    """Numbers and categories that the network takes beside the pictures, as the training samples had them."""
    rotation_invariant: bool
    preprocessing: PreprocessingSpec
    parameters: int
    """Number of weights of the saved model."""
    dataset: DatasetRecord
    splits: dict[str, str]
    """Split by sample id."""
    baseline: Baseline
    interval: IntervalCalibration
    disagreement_limit: float
    """How far network and baseline may disagree before a reading is refused as implausible, label's unit."""
    foreign: ForeignCalibration | None = None
    """How far from the training pictures a picture may lie; None where nothing is known of it."""
    median_half_width: float
    """Median half-width of the interval on the validation split, label's unit."""
    validation_mae: dict[str, float]
    """Mean absolute error on the validation split: ``keras`` and ``baseline``."""
    verdict: str = ""
    """Whether the network beats the calibration curve on the validation split, in a sentence."""
    folds: tuple[FoldRecord, ...] = ()
    """Cross-validation, where it was asked for; the interval is then calibrated on it."""
    epochs: int
    best_epoch: int
    interrupted: bool
    """Whether Ctrl-C ended the training early."""
    seconds: float
    """Duration of the training."""
    versions: dict[str, str]
    created_at: str
    """UTC, ISO 8601."""


def _no_columns() -> Float32Array:
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class RunSamples:
    """Preprocessed photographs that travel with the run, so that export needs nothing else.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB. ``values``: float64 ``[N]``, label's unit. ``sessions``:
    names ``[N]``. ``covariates``: float32 ``[N, K]``, K = 0 where there are none; only stored where there are
    any. Training samples calibrate quantization, validation samples judge it; none is a test one.
    """

    train_images: UInt8Array
    train_values: Float64Array
    train_sessions: tuple[str, ...]
    val_images: UInt8Array
    val_values: Float64Array
    val_sessions: tuple[str, ...]
    train_covariates: Float32Array = field(default_factory=_no_columns)
    val_covariates: Float32Array = field(default_factory=_no_columns)

    def __post_init__(self) -> None:
        for name in ("train", "val"):
            covariates, n = getattr(self, f"{name}_covariates"), len(getattr(self, f"{name}_images"))
            if covariates.shape[1] == 0:
                object.__setattr__(self, f"{name}_covariates", np.zeros((n, 0), np.float32))
            elif len(covariates) != n:
                raise ValueError(f"{len(covariates)} rows of covariates for {n} samples")

    def save(self, folder: Path) -> None:
        """Write ``samples.npz``."""
        arrays: dict[str, Any] = {
            "train_images": self.train_images,
            "train_values": self.train_values,
            "train_sessions": np.asarray(self.train_sessions, np.str_),
            "val_images": self.val_images,
            "val_values": self.val_values,
            "val_sessions": np.asarray(self.val_sessions, np.str_),
        }
        if self.train_covariates.shape[1]:
            arrays |= {"train_covariates": self.train_covariates, "val_covariates": self.val_covariates}
        with (folder / SAMPLES_FILE).open("wb") as file:
            np.savez(file, **arrays)


def save_record(record: RunRecord, folder: Path) -> None:
    """Write ``run.json``."""
    (folder / RECORD_FILE).write_text(record.model_dump_json(indent=2) + "\n", "utf-8")


def load_record(folder: Path) -> RunRecord:
    """Read ``run.json``. Raises: InputError when it is no run folder, IntegrityError when it is damaged."""
    file = folder / RECORD_FILE
    if not os.path.lexists(folder):
        raise InputError(
            "no such file or folder", where=folder, expected="a run folder", fix="Make one: analyte train"
        )
    if not file.is_file() or not (folder / MODEL_FILE).is_file():
        raise InputError(
            "not a run folder",
            where=folder,
            expected=f"{RECORD_FILE} and {MODEL_FILE}",
            fix="Make one: analyte train",
        )
    try:
        data = json.loads(file.read_text("utf-8"))
        found = data.get("schema_version") if isinstance(data, dict) else None
        if isinstance(found, int) and found > RUN_SCHEMA:
            raise IntegrityError(
                "written by a newer analyte",
                where=file,
                expected=f"schema {RUN_SCHEMA} or older",
                got=found,
                fix="Update analyte",
            )
        return RunRecord.model_validate(data)
    except ValidationError as error:
        raise IntegrityError(in_words(error), where=file) from error
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=file) from error
    except (ValueError, RecursionError) as error:
        raise IntegrityError("not valid JSON", where=file, got=error) from error


def load_samples(folder: Path) -> RunSamples:
    """Read ``samples.npz``. Raises: IntegrityError when it is missing or damaged."""
    file = folder / SAMPLES_FILE
    try:
        # Opened here: numpy leaves a damaged file open.
        with file.open("rb") as source, np.load(source, allow_pickle=False) as data:
            covariates = {key: data[key] for key in ("train_covariates", "val_covariates") if key in data}
            return RunSamples(
                train_images=data["train_images"],
                train_values=data["train_values"],
                train_sessions=tuple(map(str, data["train_sessions"])),
                val_images=data["val_images"],
                val_values=data["val_values"],
                val_sessions=tuple(map(str, data["val_sessions"])),
                **covariates,
            )
    except (OSError, *NOT_ARRAYS) as error:
        raise IntegrityError("missing or damaged", where=file, got=error, fix="Train again") from error


def network_input(images: Any, covariates: Any) -> Any:
    """Bring pictures ``[N, V, S, S, 3]`` and covariates ``[N, K]`` to what the saved Keras model takes.

    The pictures alone where K is 0, else both by name. Arrays or tensors, as `graph_input`.
    """
    pictures = graph_input(images)
    return {"image": pictures, "covariates": covariates} if covariates.shape[1] else pictures


def graph_input(images: Any) -> Any:
    """Bring pictures ``[N, V, S, S, 3]`` to the graph's layout: without the view axis where V is 1.

    Takes and gives a numpy array or a tensor of any framework that indexes like one.
    """
    return images[:, 0] if images.shape[1] == 1 else images
