"""What is to be simulated, checked before any work is done."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analyte.contract.errors import SettingsError
from analyte.contract.label import LabelSpec
from analyte.train.simulator.chemistry import REACTIONS, Reaction
from analyte.train.simulator.spectra import CAMERAS

MINIMUM_SIZE_PX = 32
MAXIMUM_SIZE_PX = 4096
DEFAULT_SIZE_PX = 250
DEFAULT_JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """One simulated study. The same configuration gives the same pictures.

    Raises: SettingsError naming the first setting that cannot be.
    """

    samples: int = 1000
    seed: int = 0
    """Sample i depends on the seed and i only: fewer samples are the beginning of more."""
    size_px: int = DEFAULT_SIZE_PX
    """Edge of the square pictures."""
    reaction: str = "griess"
    """Key of `REACTIONS`."""
    range: tuple[float, float] | None = None
    """Lowest and highest value, in the reaction's unit; the reaction's own range when None."""
    sessions: int = 12
    """Days: each has its own light, exposure, white balance and lot of plates."""
    levels: int | None = None
    """Number of standards, evenly spaced over the range; None draws every value from the whole range."""
    reference: bool = False
    """Whether a white patch is photographed beside every sample, as the view ``reference``."""
    jpeg_quality: int = DEFAULT_JPEG_QUALITY
    camera: str = CAMERAS[0]

    def __post_init__(self) -> None:
        _whole("samples", self.samples, 1, 10_000_000)
        _whole("seed", self.seed, 0, 2**63 - 1)
        _whole("size", self.size_px, MINIMUM_SIZE_PX, MAXIMUM_SIZE_PX)
        _whole("sessions", self.sessions, 1, 10_000)
        _whole("jpeg-quality", self.jpeg_quality, 1, 100)
        if self.levels is not None:
            _whole("levels", self.levels, 2, 10_000)
        if self.reaction not in REACTIONS:
            raise SettingsError(
                "unknown reaction", where="--reaction", expected=", ".join(REACTIONS), got=self.reaction
            )
        if self.camera not in CAMERAS:
            raise SettingsError(
                "unknown camera", where="--camera", expected=", ".join(CAMERAS), got=self.camera
            )
        if self.range is not None:
            check_values("range", self.range, self.chemistry)
            if not self.range[0] < self.range[1]:
                raise SettingsError(
                    "not in order",
                    where="--range",
                    expected="low, then high",
                    got=f"{self.range[0]:g} {self.range[1]:g}",
                )

    @property
    def chemistry(self) -> Reaction:
        """The reaction."""
        return REACTIONS[self.reaction]

    @property
    def label(self) -> LabelSpec:
        """What is measured, its unit, and the range that is simulated."""
        own = self.chemistry.label
        return own if self.range is None else own.model_copy(update={"range": self.range})

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the pictures of each sample, in order."""
        return ("sample", "reference") if self.reference else ("sample",)


def check_values(name: str, values: tuple[float, ...], reaction: Reaction) -> None:
    """Refuse values outside the limits of the reaction's model. Raises: SettingsError."""
    low, high = reaction.limits
    for value in values:
        if not (math.isfinite(value) and low <= value <= high):
            raise SettingsError(
                f"no value of the reaction {reaction.name!r}",
                where=f"--{name}",
                expected=f"{low:g} to {high:g} {reaction.label.unit}",
                got=f"{value:g}",
            )


def _whole(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise SettingsError("out of bounds", where=f"--{name}", expected=f"{low} to {high}", got=value)
