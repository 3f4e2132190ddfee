"""Everything put together: a studio that photographs specimen after specimen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.train.simulator.config import SimulationConfig
from analyte.train.simulator.scene import (
    Frame,
    Geometry,
    draw_geometry,
    expose_reference,
    expose_well,
    liquid_profile,
    plate_texture,
)
from analyte.train.simulator.seeds import (
    NOISE,
    REFERENCE_NOISE,
    REFERENCE_TEXTURE,
    TEXTURE,
    VALUE,
    generator,
)
from analyte.train.simulator.sensor import Development, develop, digitise, mean_electrons
from analyte.train.simulator.sessions import Session, draw_sessions


@dataclass(frozen=True, slots=True)
class Specimen:
    """One prepared solution in its well, on its day."""

    index: int
    value: float
    """True value, in the reaction's unit, rounded to nine digits: what the labels say."""
    group: str
    """The solution: one per specimen, or one standard per level and session."""
    session: Session
    geometry: Geometry

    @property
    def name(self) -> str:
        """Identifier in the sample column of the labels."""
        return f"sample-{self.index + 1:05d}"


class Studio:
    """The simulated laboratory of one configuration. Holds the sessions; every photograph is drawn on demand.

    A photograph depends on the configuration and the specimen only, so the order of the calls is free.
    """

    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        self.reaction = config.chemistry
        self.sessions = draw_sessions(config.seed, config.sessions, config.camera)

    def specimen(self, index: int) -> Specimen:
        """Return specimen ``index``, 0 and up. Sessions take turns, so that each sees the whole range."""
        session = self.sessions[index % len(self.sessions)]
        value, level = self._draw_value(index)
        name = f"specimen-{index + 1:05d}" if level is None else f"{session.name}-level-{level + 1:02d}"
        return Specimen(index, value, name, session, draw_geometry(self.config.seed, index))

    def expected_electrons(
        self, specimen: Specimen, *, value: float | None = None, frame: Frame | None = None
    ) -> Float64Array:
        """Return what a camera without noise would count, float64 ``[3, H, W]``, R, G, B, electrons.

        ``value``: of the analyte, in the reaction's unit; the specimen's own when None. ``frame``: the
        configuration's square when None.
        """
        frame = frame or Frame.square(self.config.size_px)
        value = specimen.value if value is None else value
        texture = plate_texture(generator(self.config.seed, TEXTURE, specimen.index), frame)
        profile = liquid_profile(self.reaction, value, specimen.session, specimen.geometry)
        return mean_electrons(expose_well(profile, specimen.session, specimen.geometry, frame, texture))

    def photograph(self, specimen: Specimen) -> UInt8Array:
        """Return the picture of a specimen before JPEG, uint8 ``[size, size, 3]``, BGR."""
        rng = generator(self.config.seed, NOISE, specimen.index)
        raw = digitise(self.expected_electrons(specimen), rng)
        return develop(raw, Development.of(specimen.session))

    def photograph_reference(self, specimen: Specimen) -> UInt8Array:
        """Return the picture of the white patch in the specimen's light; as `photograph`."""
        seed, index, session = self.config.seed, specimen.index, specimen.session
        frame = Frame.square(self.config.size_px)
        texture = plate_texture(generator(seed, REFERENCE_TEXTURE, index), frame)
        electrons = mean_electrons(expose_reference(session, specimen.geometry, frame, texture))
        return develop(digitise(electrons, generator(seed, REFERENCE_NOISE, index)), Development.of(session))

    def levels(self) -> Float64Array:
        """Return the values of the standards, in the reaction's unit; empty when values are continuous."""
        low, high = self.config.label.range
        return np.linspace(low, high, self.config.levels or 0)

    def _draw_value(self, index: int) -> tuple[float, int | None]:
        rng = generator(self.config.seed, VALUE, index)
        low, high = self.config.label.range
        if self.config.levels is None:
            return _nine_digits(low + (high - low) * float(rng.random())), None
        level = int(rng.integers(self.config.levels))
        return _nine_digits(float(self.levels()[level])), level


def _nine_digits(value: float) -> float:
    """Round so that the labels file, the truth and the picture hold the same number."""
    return float(f"{value:.9g}")
