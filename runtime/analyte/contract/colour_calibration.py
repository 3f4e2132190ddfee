"""The colour calibration file: what ``analyte colour calibrate`` writes and a device corrects with.

JSON; beside it, where there are dark or flat-field frames, ``NAME.npz`` with float32 maps.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from analyte.contract.arrays import Float32Array
from analyte.contract.errors import InputError, IntegrityError
from analyte.contract.label import Finite
from analyte.contract.output import check_output
from analyte.contract.output_file import staged_file
from analyte.contract.preprocessing import Box
from analyte.contract.validation import in_words

KIND = "analyte-colour-calibration"
ColourModel = Literal["linear", "affine", "root-polynomial"]
TERMS: dict[ColourModel, int] = {"linear": 3, "affine": 4, "root-polynomial": 6}
"""Columns of the matrix: R, G, B; these and 1; these and sqrt(RG), sqrt(GB), sqrt(RB)."""
_CLOCK_SLACK = timedelta(hours=1)
_Light = tuple[Finite, Finite, Finite]
_HEX = r"^[0-9a-f]{64}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Residual(_Part):
    """How far the patches of a chart lie from what its maker states, Delta E 2000."""

    mean: Annotated[Finite, Field(ge=0)]
    max: Annotated[Finite, Field(ge=0)]


class ChartFit(_Part):
    """A correction that was fitted to a chart."""

    chart: str
    corners: tuple[tuple[Finite, Finite], ...] = Field(min_length=4, max_length=4)
    """Outer corners of dark skin, bluish green, black and white, x and y in pixels."""
    fixed: bool
    """Whether a person gave the corners; else the chart was searched for."""
    model: ColourModel
    matrix: tuple[tuple[Finite, ...], ...] = Field(min_length=3, max_length=3)
    """From the model's terms in linear light, 0 to 1, to linear sRGB; rows R, G, B."""
    patches: tuple[_Light, ...] = Field(min_length=24, max_length=24)
    """Measured linear light of each patch, R, G, B, before this correction."""
    clipped: tuple[bool, ...] = Field(min_length=24, max_length=24)
    """Patches that were left out."""
    before: Residual
    after: Residual
    left_out: Residual
    """Of patches that the fit had not seen."""

    @model_validator(mode="after")
    def _matrix_fits_the_model(self) -> Self:
        if any(len(row) != TERMS[self.model] for row in self.matrix):
            raise ValueError(f"matrix must have {TERMS[self.model]} columns for model {self.model!r}")
        return self


class WhitePatch(_Part):
    """What the white reference patch looks like when the light is right."""

    box: Box
    """Where it was, pixels."""
    light: tuple[
        Annotated[Finite, Field(gt=0)], Annotated[Finite, Field(gt=0)], Annotated[Finite, Field(gt=0)]
    ]
    """Mean linear light, R, G, B, 0 to 1."""


class FieldMaps(_Part):
    """Dark and flat-field frames, in a file of their own."""

    file: str = Field(pattern=r"^[^/\\]+\.npz$")
    """Beside the calibration file."""
    sha256: str = Field(pattern=_HEX)
    width: int = Field(gt=0)
    """Of the frames, pixels."""
    height: int = Field(gt=0)
    """Of the frames, pixels."""
    dark: bool
    flat: bool


class ColourCalibration(_Part):
    """A whole calibration."""

    kind: Literal["analyte-colour-calibration"] = "analyte-colour-calibration"
    schema_version: Literal[1] = 1
    created_at: AwareDatetime
    valid_days: Annotated[Finite, Field(gt=0, le=36500)]
    photographs: dict[str, str] = Field(default_factory=dict)
    """sha256 of every photograph used, hexadecimal, by file name."""
    frame: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] | None = None
    """Width and height of all of them, pixels; None where that was not written down."""
    chart: ChartFit | None = None
    white: WhitePatch | None = None
    fields: FieldMaps | None = None

    @model_validator(mode="after")
    def _corrects_something(self) -> Self:
        if self.chart is None and self.white is None and self.fields is None:
            raise ValueError("needs one of chart, white and fields, got none")
        return self

    def age_days(self, now: datetime | None = None) -> float:
        """Return the age, days, at ``now`` (by default this moment)."""
        return ((now or datetime.now(UTC)) - self.created_at).total_seconds() / 86400.0

    @property
    def expires_at(self) -> datetime:
        """When it must be made anew, UTC."""
        return self.created_at + timedelta(days=self.valid_days)

    @property
    def from_the_future(self) -> bool:
        """Whether it is dated later than this machine's clock allows."""
        return self.created_at > datetime.now(UTC) + _CLOCK_SLACK


@dataclass(frozen=True, slots=True)
class Maps:
    """Dark and flat-field frames in linear light."""

    dark: Float32Array | None
    """What the camera shows without light, float32 ``[H, W, 3]``, R, G, B, 0 to 1."""
    gain: Float32Array | None
    """Factors that make a flat field even, float32 ``[H, W, 3]``, R, G, B."""


def save_calibration(
    path: Path, calibration: ColourCalibration, maps: Maps | None = None, *, overwrite: bool = False
) -> ColourCalibration:
    """Write the calibration, ``maps`` beside it, with their hashes; return it as written. Raises:
    OutputError."""
    check_output(path, overwrite=overwrite)
    if maps is not None:
        given = {
            name: array for name, array in (("dark", maps.dark), ("gain", maps.gain)) if array is not None
        }
        height, width = next(iter(given.values())).shape[:2]
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **given)
        data = buffer.getvalue()
        beside = path.with_suffix(".npz")
        fields = FieldMaps(
            file=beside.name,
            sha256=hashlib.sha256(data).hexdigest(),
            width=width,
            height=height,
            dark=maps.dark is not None,
            flat=maps.gain is not None,
        )
        calibration = calibration.model_copy(update={"fields": fields})
        with staged_file(beside, overwrite=overwrite) as file:
            file.write(data)
    content = calibration.model_dump(mode="json")
    text = json.dumps({**content, "sha256": _digest(content)}, indent=2, ensure_ascii=False)
    with staged_file(path, overwrite=overwrite) as file:
        file.write(text.encode() + b"\n")
    return calibration


def load_calibration(path: Path) -> tuple[ColourCalibration, Maps]:
    """Read a calibration and its maps. Raises: InputError; IntegrityError where a hash does not fit."""
    fix = "Make it anew: analyte colour calibrate"
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=path, fix=fix) from error
    except (ValueError, RecursionError) as error:
        raise InputError("not valid JSON", where=path, got=error, fix=fix) from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise InputError("not a colour calibration of analyte", where=path, expected=KIND, fix=fix)
    if content.pop("sha256", None) != _digest(content):
        raise IntegrityError("the calibration was altered after it was written", where=path, fix=fix)
    try:
        calibration = ColourCalibration.model_validate(content)
    except ValidationError as error:
        raise InputError(in_words(error, ColourCalibration), where=path, fix=fix) from error
    if calibration.fields is None:
        return calibration, Maps(None, None)
    return calibration, _load_maps(path.with_name(calibration.fields.file), calibration.fields, fix)


def _load_maps(path: Path, fields: FieldMaps, fix: str) -> Maps:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=path, fix=fix) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != fields.sha256:
        raise IntegrityError("damaged", where=path, expected=f"sha256 {fields.sha256}", got=digest, fix=fix)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            read = {name: np.asarray(arrays[name]) for name in arrays.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise IntegrityError("not a file of maps", where=path, got=error, fix=fix) from error
    shape = (fields.height, fields.width, 3)
    wanted = {name for name, there in (("dark", fields.dark), ("gain", fields.flat)) if there}
    fits = all(map_.shape == shape and map_.dtype == np.float32 for map_ in read.values())
    if set(read) != wanted or not wanted or not fits or not all(np.isfinite(m).all() for m in read.values()):
        raise IntegrityError("the maps do not fit the calibration", where=path, expected=shape, fix=fix)
    return Maps(read.get("dark"), read.get("gain"))


def _digest(content: dict[str, object]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
