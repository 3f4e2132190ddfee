"""What every engine is to the rest of the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.manifest import EngineName


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What a provider is told beside its name: nothing, unless a device profile says so."""

    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """In the provider's own words."""
    library: str | None = None
    """File name or absolute path of a LiteRT delegate; None for the provider's usual one."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What runs a model, as found after it was opened; never only as asked for."""

    engine: EngineName
    provider: str
    """In the words of the device profile: ``cpu``, ``cuda``, ``xnnpack``, … It runs a part of the model
    at least; what it knows no kernel for runs on the processor."""
    threads: int
    library: str
    """The package that does the work: ``onnxruntime``, ``ai_edge_litert`` or ``tflite_runtime``."""
    version: str
    """Version of that package."""


@dataclass(frozen=True, slots=True)
class GraphShape:
    """What a graph takes. None where the file leaves the dimension open."""

    rank: int
    """4 for ``[N, S, S, 3]`` (one view), 5 for ``[N, V, S, S, 3]``."""
    views: int | None
    size: int | None
    """Edge of the square, pixels."""
    covariates: int = 0
    """K, the width of the second input; 0 without one."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a graph gave for N samples, raw: not judged, possibly not finite."""

    value: Float32Array
    """``[N]``, label's unit."""
    sigma: Float32Array
    """``[N]``, predicted standard deviation, label's unit."""
    features: Float32Array
    """``[N, F]``, the last layer before the head, no unit."""


class Engine(Protocol):
    """An opened model file. Not for use by two threads at once."""

    @property
    def info(self) -> EngineInfo:
        """What runs the model."""
        ...

    @property
    def shape(self) -> GraphShape:
        """What the graph takes."""
        ...

    def run(self, images: UInt8Array, covariates: Float32Array | None = None) -> Prediction:
        """Run N samples, uint8 ``[N, V, S, S, 3]``, RGB, 0 to 255, for any N >= 1.

        ``covariates``: float32 ``[N, K]`` as `analyte.contract.covariates` encodes them; None where K is 0.
        Raises: InputError when an array does not fit the graph; UnavailableError when the engine fails;
        IntegrityError when the graph gives something other than the graph contract says.
        """
        ...

    def close(self) -> None:
        """Release the model; may be called twice."""
        ...
