"""``[engine]``: what runs the network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PlainValidator, model_validator

from analyte.contract.manifest import EngineName
from analyte.contract.sections.base import Section


def _option(given: object) -> str | int | float | bool:
    if isinstance(given, str | bool | int) or (isinstance(given, float) and math.isfinite(given)):
        return given
    raise ValueError("must be text, a finite number, true or false")


Option = Annotated[str | int | float | bool, PlainValidator(_option)]
"""What a provider or a delegate may be told by the name of an option."""
DELEGATES = ("gpu", "edgetpu", "delegate")
"""LiteRT's providers that come from a library of their own."""


class DelegateSection(Section):
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


class EngineSection(Section):
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
