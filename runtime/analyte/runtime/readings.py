"""Putting a reading together from what was found, judged and known."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence

from analyte.contract.bundle import Bundle
from analyte.contract.covariates import Covariate
from analyte.contract.manifest import Artifact
from analyte.contract.reading import Reading
from analyte.runtime.colour.protocol import ColourRecord
from analyte.runtime.engines.protocol import EngineInfo
from analyte.runtime.judgement import Judgement
from analyte.runtime.regions.protocol import Site
from analyte.runtime.sources.protocol import BadFrame, Frame


class ReadingFactory:
    """Knows what is the same in every reading of a device."""

    def __init__(self, bundle: Bundle, artifact: Artifact, engine: EngineInfo, device: str) -> None:
        self._manifest = bundle.manifest
        self._bundle_id = bundle.id
        self._artifact = artifact.name
        self._engine = engine
        self._device = device

    def reading(
        self,
        judgement: Judgement,
        shots: Sequence[Frame | BadFrame],
        *,
        age_s: float,
        latency_ms: dict[str, float],
        covariates: Mapping[str, Covariate],
        site: Site,
        digest: str,
        quality: Mapping[str, float],
        colour: ColourRecord | None,
        recalibration: str,
    ) -> Reading:
        """Return the reading of one site of ``shots``, which are ``age_s`` seconds old.

        ``recalibration``: its version, empty where none is in force.
        """
        oldest = min(shots, key=lambda shot: shot.monotonic_s)
        return Reading(
            value=judgement.value,
            unit=self._manifest.label.unit,
            lower=judgement.lower,
            upper=judgement.upper,
            coverage=self._manifest.interval.coverage,
            sigma=judgement.sigma,
            flags=judgement.flags,
            refused=judgement.reason is not None,
            reason=judgement.reason,
            detail=judgement.detail,
            analyte=self._manifest.label.analyte,
            source=self._source(shots),
            frames=len(shots),
            bundle=self._bundle_id,
            artifact=self._artifact,
            engine=self._engine.engine,
            provider=self._engine.provider,
            device=self._device,
            captured_at=oldest.captured_at.isoformat(timespec="microseconds"),
            capture_age_ms=1e3 * age_s,
            latency_ms=latency_ms,
            frame_sha256=digest,
            regions={view: (box.x, box.y, box.w, box.h) for view, box in site.boxes.items()},
            covariates={name: _for_json(value) for name, value in covariates.items()},
            id=str(uuid.uuid4()),
            site=site.name,
            quality={name: figure for name, figure in quality.items() if math.isfinite(figure)},
            colour={} if colour is None else _colour(colour),
            recalibration=recalibration,
        )

    def _source(self, shots: Sequence[Frame | BadFrame]) -> str:
        """Name the frame, or which frame was taken for which view."""
        if len(shots) == 1:
            return shots[0].name
        return ", ".join(
            f"{view}={shot.name}" for view, shot in zip(self._manifest.views, shots, strict=True)
        )


def _colour(record: ColourRecord) -> dict[str, str | float | list[float] | None]:
    return {
        "method": record.method,
        "residual_delta_e": record.residual_delta_e,
        "age_days": record.age_days,
        "gains": None if record.gains is None else list(record.gains),
    }


def _for_json(value: Covariate) -> Covariate:
    # JSON has no NaN; a reading that is refused for one must still be stored.
    return value if isinstance(value, str) or math.isfinite(value) else str(value)
