"""The device profile: one TOML file that says what a device is, sees, runs and keeps."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from analyte.contract.errors import ProfileError
from analyte.contract.label import Finite
from analyte.contract.manifest import EngineName
from analyte.contract.preprocessing import Box
from analyte.contract.validation import in_words


def _covariate(given: object) -> int | float | str:
    # A category may be written as a whole number, such as a lot: it must not become 7.0.
    if isinstance(given, str):
        return given
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
        return given
    raise ValueError("must be a finite number or the name of a category")


def _option(given: object) -> str | int | float | bool:
    if isinstance(given, str | bool | int) or (isinstance(given, float) and math.isfinite(given)):
        return given
    raise ValueError("must be text, a finite number, true or false")


Option = Annotated[str | int | float | bool, PlainValidator(_option)]
"""What a provider or a delegate may be told by the name of an option."""
DELEGATES = ("gpu", "edgetpu", "delegate")
"""LiteRT's providers that come from a library of their own."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeviceSection(_Section):
    """Who the device is."""

    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    """Stands in every reading."""


class CameraSection(_Section):
    """What the device sees with."""

    source: str | None = None
    """Camera index, video file, folder of pictures or stream URL; ``--source`` overrides it."""
    width: int | None = Field(default=None, gt=0)
    """Frame width to demand of a camera, pixels; refused when the camera gives another."""
    height: int | None = Field(default=None, gt=0)
    """Frame height to demand of a camera, pixels."""
    max_age_s: Finite = Field(default=0.5, gt=0)
    """Oldest frame that may be measured, seconds after its capture."""
    stall_s: Finite = Field(default=5.0, gt=0)
    """Time without a new frame after which the camera counts as lost, seconds."""


class MeasureSection(_Section):
    """When the device measures."""

    interval_s: Finite = Field(default=0.0, ge=0)
    """Shortest time between two readings, seconds; 0 measures every frame. Files are stepped by their own
    time, not by the clock."""
    regions: dict[str, Box] = Field(default_factory=dict)
    """Region of each view in the frame; a view without one is the whole frame."""
    covariates: dict[str, Annotated[int | float | str, PlainValidator(_covariate)]] = Field(
        default_factory=dict
    )
    """Numbers and categories beside the picture that hold for every reading, by the bundle's names."""


class DelegateSection(_Section):
    """The library that LiteRT hands the graph to."""

    library: str | None = Field(default=None, min_length=1)
    """A file name that the system's loader finds, such as ``libedgetpu.so.1``, or an absolute path. None: the
    usual name for the providers ``edgetpu`` and ``gpu``."""
    options: dict[str, Option] = Field(default_factory=dict)
    """What the library is told, in its own words; numbers and true or false become text."""

    @model_validator(mode="after")
    def _path_is_absolute(self) -> Self:
        # The daemon's folder is not that of the profile: a relative path could load another file.
        if self.library and "/" in self.library and not Path(self.library).is_absolute():
            raise ValueError(f"library must be a file name or an absolute path, got {self.library!r}")
        return self


class EngineSection(_Section):
    """What runs the network."""

    name: EngineName
    provider: str
    """ONNX Runtime's provider or LiteRT's delegate: ``cpu``, ``cuda``, ``xnnpack``, … Never replaced by
    another without being listed in ``fallback``."""
    delegate: DelegateSection | None = None
    """The library behind LiteRT's providers ``delegate``, ``edgetpu`` and ``gpu``."""
    provider_options: dict[str, Option] = Field(default_factory=dict)
    """What ``provider`` of ONNX Runtime is told, in its own words: ``device_id``, ``trt_fp16_enable``, …"""
    threads: int = Field(default=1, ge=1, le=256)
    artifacts: tuple[str, ...] = Field(min_length=1)
    """Artifacts in order of preference; the first that the bundle has is used."""
    fallback: tuple[str, ...] = ()
    """Providers to try, in order, where ``provider`` is not there. Each is reported in the reading. They run
    with their own defaults: ``delegate`` and ``provider_options`` are for ``provider`` alone."""

    @model_validator(mode="after")
    def _options_go_with_the_provider(self) -> Self:
        if self.delegate is not None and (self.name != "litert" or self.provider not in DELEGATES):
            raise ValueError(
                f"delegate is for name 'litert' and provider {' or '.join(map(repr, DELEGATES))}, "
                f"got name {self.name!r} and provider {self.provider!r}"
            )
        if self.provider == "delegate" and (self.delegate is None or self.delegate.library is None):
            raise ValueError("provider 'delegate' needs delegate = { library = \"...\" }, got none")
        if "delegate" in self.fallback:
            raise ValueError("fallback: 'delegate' would have no library, expected another provider")
        if self.provider_options and (self.name != "onnx" or self.provider == "cpu"):
            raise ValueError(
                "provider_options are for name 'onnx' and a provider other than 'cpu', which takes none; "
                f"got name {self.name!r} and provider {self.provider!r}"
            )
        return self


class StorageSection(_Section):
    """What the device keeps."""

    path: Path = Path("readings.sqlite")
    """The store, relative to the folder that the daemon runs in."""


class SecuritySection(_Section):
    """Whose bundles the device runs."""

    require_signature: bool = Field(default=False, strict=True)
    """Run only bundles that one of ``trusted_keys`` signed; any other is refused before it is used."""
    trusted_keys: tuple[str, ...] = ()
    """Public keys: the line that ``analyte bundle keygen`` wrote into ``NAME.pub``, or that file's path,
    relative to the folder of the profile."""

    @model_validator(mode="after")
    def _keys_go_with_the_demand(self) -> Self:
        if self.require_signature and not self.trusted_keys:
            raise ValueError("require_signature = true needs at least one of trusted_keys")
        if self.trusted_keys and not self.require_signature:
            raise ValueError("trusted_keys protect nothing without require_signature = true")
        return self


class DeviceProfile(_Section):
    """A whole profile."""

    schema_version: Literal[1] = 1
    device: DeviceSection
    camera: CameraSection = CameraSection()
    measure: MeasureSection = MeasureSection()
    engine: EngineSection
    storage: StorageSection = StorageSection()
    security: SecuritySection = SecuritySection()


def load_profile(path: Path) -> DeviceProfile:
    """Read a profile. Raises: ProfileError naming file, key, what was expected and what was got."""
    try:
        data = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ProfileError(
            error.strerror or "cannot be read", where=path, fix="See device_configs/"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ProfileError("not valid TOML", where=path, got=error) from error
    try:
        return DeviceProfile.model_validate(data)
    except ValidationError as error:
        raise ProfileError(in_words(error, DeviceProfile), where=path) from error
