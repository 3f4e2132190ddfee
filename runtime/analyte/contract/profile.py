"""The device profile: one TOML file that says what a device is, sees, runs and keeps."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, ValidationError, field_validator, model_validator

from analyte.contract.errors import ProfileError
from analyte.contract.label import Finite
from analyte.contract.sections.base import Section
from analyte.contract.sections.bundles import BundlesSection
from analyte.contract.sections.camera import CameraSection
from analyte.contract.sections.colour import ColourSection
from analyte.contract.sections.control import ControlSection
from analyte.contract.sections.engine import EngineSection
from analyte.contract.sections.mqtt import MqttSection
from analyte.contract.sections.quality import QualitySection
from analyte.contract.sections.region import RegionSection
from analyte.contract.sections.serve import ServeSection
from analyte.contract.validation import in_words, not_toml


def _covariate(given: object) -> int | float | str:
    # A category may be written as a whole number, such as a lot: it must not become 7.0.
    if isinstance(given, str):
        return given
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
        return given
    raise ValueError("must be a finite number or the name of a category")


def _detection_limit(given: object) -> float | Literal["bundle"]:
    if given == "bundle":
        return "bundle"
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 < given < math.inf:
        return float(given)
    raise ValueError('must be a number greater than 0, in the label\'s unit, or "bundle"')


DetectionLimit = Annotated[float | Literal["bundle"], PlainValidator(_detection_limit)]


class DeviceSection(Section):
    """Who the device is."""

    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    """Stands in every reading."""


class MeasureSection(Section):
    """When the device measures."""

    interval_s: Finite = Field(default=0.0, ge=0)
    """Shortest time between two readings, seconds; 0 measures every frame. Files are stepped by their own
    time, not by the clock."""
    frames: int = Field(default=1, ge=1, le=99)
    """Frames that make one reading: the median of their values, outliers rejected."""
    max_spread: Finite | None = Field(default=None, gt=0)
    """Largest standard deviation of these values, in the label's unit; a reading with more is refused."""
    lod: DetectionLimit | None = None
    """Limit of detection: a value below is reported as less than this. In the label's unit, such as the lab
    validated it, or ``"bundle"``; None reports every value, as for a pH or an angle."""
    loq: DetectionLimit | None = None
    """Limit of quantitation: a value below is flagged. As ``lod``."""
    covariates: dict[str, Annotated[int | float | str, PlainValidator(_covariate)]] = Field(
        default_factory=dict
    )
    """Numbers and categories beside the picture that hold for every reading, by the bundle's names."""


class StorageSection(Section):
    """What the device keeps."""

    path: Path = Path("readings.sqlite")
    """The store, relative to the folder that the daemon runs in."""
    keep_days: Finite | None = Field(default=None, gt=0)
    """Readings older than this are deleted, but none that is not sent yet or on hold; None keeps all."""
    keep_mb: Finite | None = Field(default=None, ge=1)
    """As much of the store as is kept, megabytes (10^6 bytes): the oldest readings make room, with the same
    exceptions; None keeps all."""
    refused_frames: Path | None = None
    """Folder for the frames of refused readings, relative to the folder that the daemon runs in; None keeps
    none."""
    refused_frames_mb: Finite = Field(default=200.0, gt=0)
    """Most that this folder may hold, megabytes (10^6 bytes); the oldest frames make room."""

    @field_validator("path", "refused_frames")
    @classmethod
    def _has_a_name(cls, path: Path | None) -> Path | None:
        if path is not None and path.name in ("", ".."):
            raise ValueError("must name a file or a folder of its own")
        return path


class SecuritySection(Section):
    """Whose bundles the device runs, and with what it signs its own record."""

    require_signature: bool = Field(default=False, strict=True)
    """Run only bundles that one of ``trusted_keys`` signed; any other is refused before it is used."""
    trusted_keys: tuple[str, ...] = ()
    """Public keys: the line that ``analyte bundle keygen`` wrote into ``NAME.pub``, or that file's path,
    relative to the folder of the profile."""

    device_key: Path | None = None
    """Private key that signs the heads of the store's chain: what ``analyte bundle keygen`` wrote into
    ``NAME.key``, relative to the folder of the profile; None leaves them unsigned."""

    @model_validator(mode="after")
    def _keys_go_with_the_demand(self) -> Self:
        if self.require_signature and not self.trusted_keys:
            raise ValueError("require_signature = true needs at least one of trusted_keys")
        if self.trusted_keys and not self.require_signature:
            raise ValueError("trusted_keys protect nothing without require_signature = true")
        return self


class DeviceProfile(Section):
    """A whole profile."""

    schema_version: Literal[1] = 1
    device: DeviceSection
    camera: CameraSection = CameraSection()
    measure: MeasureSection = MeasureSection()
    region: RegionSection = RegionSection()
    colour: ColourSection = ColourSection()
    quality: QualitySection = QualitySection()
    control: ControlSection = ControlSection()
    engine: EngineSection
    storage: StorageSection = StorageSection()
    bundles: BundlesSection = BundlesSection()
    security: SecuritySection = SecuritySection()
    mqtt: MqttSection | None = None
    serve: ServeSection | None = None
    """None serves no page."""


def load_profile(path: Path) -> DeviceProfile:
    """Read a profile. Raises: ProfileError naming file, key, what was expected and what was got."""
    try:
        data = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ProfileError(
            error.strerror or "cannot be read", where=path, fix="See device_configs/"
        ) from error
    except (ValueError, RecursionError) as error:
        raise not_toml(error, ProfileError, path) from error
    try:
        return DeviceProfile.model_validate(data)
    except ValidationError as error:
        raise ProfileError(in_words(error, DeviceProfile), where=path) from error
