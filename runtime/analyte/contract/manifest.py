"""The bundle's manifest: what a device needs to know, and the hashes that bind every file to it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from analyte.contract.baseline import Baseline
from analyte.contract.covariates import CovariateSpec
from analyte.contract.foreign import ForeignCalibration
from analyte.contract.interval import IntervalCalibration
from analyte.contract.label import LabelSpec
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.contract.run import DatasetRecord

MANIFEST_SCHEMA = 1
MANIFEST_FILE = "manifest.json"
MANIFEST_HASH_FILE = "manifest.sha256"
GOLDEN_FILE = "golden.npz"
CARD_FILE = "card.md"
REPORT_FILE = "report.html"
MODEL_FILE = "model.keras"

EngineName = Literal["onnx", "litert"]
Precision = Literal["float32", "float16", "dynamic", "int8", "int8-strict", "int16x8"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileRecord(_Strict):
    """A file of the bundle."""

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name within the bundle: no folders."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)


class Deviation(_Strict):
    """How far an artifact's values lie from those of Keras, in the label's unit."""

    n: int
    mean: float
    """Mean of |artifact - Keras|."""
    p99: float
    max: float
    tolerance: float
    """What the gate compares: ``max`` for floats, ``p99`` for integers."""
    mae: float
    """Mean absolute error of the artifact against the labels of the validation split."""
    mae_keras: float
    """The same for Keras."""
    foreign: float | None = None
    """Share of the pictures that the artifact's features make foreign, 0 to 1; None without such a score."""
    foreign_keras: float | None = None
    """The same for Keras."""


class Artifact(FileRecord):
    """One model file."""

    name: str
    """The format name, such as ``onnx`` or ``tflite-int8``."""
    precision: Precision
    engine: EngineName
    """The engine that runs it."""
    parity: Deviation
    """Measured at export, on the machine that exported."""
    operators: dict[str, int] = Field(default_factory=dict)
    """How many operators of each kind the file holds: all of them stock ones."""
    quantized_by: str | None = None
    """The last of the means that it took to keep the number, see `analyte.export.ladder`; None for floats."""
    kept_float: tuple[str, ...] = ()
    """Keras layers that were left in float on request."""
    degraded: tuple[str, ...] = ()
    """What the artifact missed at the gate, in words, where somebody let it pass all the same."""


class Provenance(_Strict):
    """Where a bundle comes from."""

    recipe: str
    seed: int | None
    """None where analyte did not train the network."""
    parameters: int
    dataset: DatasetRecord
    versions: dict[str, str]
    """Of analyte, Python and the libraries, at training and at export."""
    created_at: str
    """UTC, ISO 8601."""


class Manifest(_Strict):
    """The contents of ``manifest.json``."""

    schema_version: int = Field(default=MANIFEST_SCHEMA, ge=1, le=MANIFEST_SCHEMA)
    name: str
    label: LabelSpec
    views: tuple[str, ...]
    """The pictures that make one reading, in the order in which the graph takes them."""
    covariates: CovariateSpec = CovariateSpec()
    """Numbers and categories that a reading needs beside the pictures."""
    rotation_invariant: bool
    colour: bool = False
    """Whether the training pictures have colour; then a grey one is refused."""
    preprocessing: PreprocessingSpec
    preprocessing_sha256: str
    interval: IntervalCalibration
    baseline: Baseline
    disagreement_limit: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """How far network and baseline may disagree before a reading is refused as implausible, label's unit;
    None where nothing is known of it."""
    lod: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Limit of detection of the Keras model on the validation split, label's unit; None where it gives none.
    It means something where zero is the absence of the analyte: a profile says whether it is used."""
    loq: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Limit of quantitation, label's unit."""
    foreign: ForeignCalibration | None = None
    """How far from the training pictures a picture may lie; None where nothing is known of it."""
    artifacts: tuple[Artifact, ...] = Field(min_length=1)
    """In the order in which a device should prefer them when its profile does not say."""
    golden: FileRecord
    """Pictures with the values that Keras gave for them."""
    model: FileRecord
    """The Keras model itself: what every artifact is compared with."""
    card: FileRecord
    report: FileRecord | None = None
    """The run's report, which a lab files; None where the run had none."""
    provenance: Provenance
