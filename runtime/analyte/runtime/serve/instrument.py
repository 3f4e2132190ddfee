"""What page and API may ask of the device, whatever measures."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from analyte.contract.event import Role


class Feature(StrEnum):
    """What not every device can do."""

    CONTROL = "control"
    CALIBRATE = "calibrate"
    BUNDLE = "bundle"
    """Take a new bundle, and go back to the one before."""


class MqttStatus(BaseModel):
    """How sending to a broker stands."""

    broker: str
    connected: bool
    waiting: int
    """Readings that the broker has not acknowledged."""
    remark: str
    """What failed last, or what a person should know; else empty."""


class TrialStatus(BaseModel):
    """A new bundle beside the running one, on the same frames; differences: new minus old, label's unit."""

    bundle: str
    """Id, hexadecimal."""
    compared: int
    """Readings for which both gave a value."""
    mean_difference: float
    largest: float
    """Absolute."""
    refused_by_new: int
    """Readings for which only the running one gave a value."""


class DeviceStatus(BaseModel):
    """How the device is."""

    device: str
    analyte: str
    unit: str
    measuring: bool
    """False while a person stopped it."""
    bundle: str
    """Id, hexadecimal."""
    artifact: str
    calibration: str
    """Version of the recalibration in force; empty without one."""
    frame_age_s: float | None
    """Age of the newest good frame, seconds; None before the first."""
    max_age_s: float
    """A value older than this is no current one, seconds."""
    model_ok: bool
    disk_ok: bool
    disk_free_mb: float
    """10^6 bytes."""
    clock_ok: bool
    control_ok: bool
    control_detail: str
    """Why the control is not in date; else empty."""
    locked: bool = False
    """Whether a failed control has to be released by a person."""
    queue_depth: int
    """Measurements that wait to be stored."""
    drift: dict[str, float] = {}
    """Where the drift chart of each control material stands, in its s; only those that have one."""
    mqtt: MqttStatus | None = None
    """None where nothing is sent."""
    trial: TrialStatus | None = None
    """The bundle that is tried; None without one."""
    verdict: str = ""
    """Why the newest one that was tried was rejected; empty where it was not."""
    materials: list[str] = []
    """Control materials that may be run."""
    features: list[Feature] = []


class StandardStatus(BaseModel):
    """A standard that was measured; values in the label's unit."""

    id: str
    at: str
    """UTC, ISO 8601."""
    who: str
    known: float
    reading: float
    """Before any recalibration."""
    sigma: float
    used: bool
    """Whether the recalibration changed since it was measured."""


class RecalibrationWish(BaseModel):
    """Which standards to recalibrate from, and how."""

    model_config = ConfigDict(extra="forbid", strict=True)
    method: Literal["offset", "two-point", "regression"]
    standards: list[Annotated[str, Field(max_length=64)]] = Field(min_length=1, max_length=200)
    """Ids of standards."""
    weighted: bool = False
    """Each standard counts by 1 / sigma^2 of its reading."""
    why: str = Field(min_length=1, max_length=500)


class Instrument(Protocol):
    """A device. May be used by several threads; nothing here makes the measuring wait."""

    def status(self) -> DeviceStatus:
        """Return how the device is now."""
        ...

    def start(self) -> None:
        """Go on measuring."""
        ...

    def stop(self) -> None:
        """Measure no more until `start`; the program runs on."""
        ...

    def measure_now(self) -> None:
        """Make the next reading at once, also while stopped."""
        ...

    def picture(self) -> bytes | None:
        """Return the newest frame with its regions as JPEG; None before the first."""
        ...

    def refused_picture(self, name: str) -> bytes | None:
        """Return a frame of the folder of refused frames as PNG; None where it is gone."""
        ...

    def run_control(self, material: str, well: str, who: str, role: Role) -> str:
        """Take the next reading as that of a control; return what came of it, one line.

        ``well``: the one that holds it; empty where a picture gives one reading.

        Raises: SettingsError, RoleError, UnavailableError.
        """
        ...

    def controls(self) -> list[dict[str, object]]:
        """Return controls for the chart, oldest first: at, material, value, target, s, passed."""
        ...

    def standards(self) -> list[StandardStatus]:
        """Return the standards of the last 24 hours, oldest first."""
        ...

    def measure_standard(self, known: float, well: str, who: str, role: Role) -> str:
        """Take the next reading as that of a standard of known value, label's unit; return what was read,
        one line. Raises: as `run_control`; InputError where the reading gives no value."""
        ...

    def recalibrate(self, wish: RecalibrationWish, who: str, role: Role) -> str:
        """Correct every later reading by standards that were measured; return the correction, one line.

        Raises: RoleError; SettingsError, InputError where they give none.
        """
        ...

    def undo_recalibration(self, who: str, role: Role, why: str) -> str:
        """Take the newest recalibration back; return the version that holds then, one line.

        Raises: RoleError; InputError where there is none.
        """
        ...

    def release(self, who: str, role: Role, why: str) -> None:
        """Let readings go on after a failed control.

        Raises: RoleError; InputError where nothing is locked.
        """
        ...

    def upload_bundle(self, path: Path, who: str, role: Role) -> str:
        """Verify a packed bundle and try it beside the running one; return its id.

        Raises: RoleError, InputError, IntegrityError, UnavailableError, ParityError.
        """
        ...

    def promote(self, who: str, role: Role, why: str) -> str:
        """Have the bundle that is tried measure from now on; return its id.

        Raises: RoleError; SettingsError where none is tried.
        """
        ...

    def roll_back(self, who: str, role: Role, why: str) -> str:
        """Go back to the bundle before; return its id.

        Raises: RoleError; SettingsError where there is none.
        """
        ...
