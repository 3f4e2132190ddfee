"""Every error that analyte raises on purpose, and the exit code that each one gives.

AnalyteError                     1
├── SettingsError                2  options that contradict each other or the data
│   └── RoleError                   a person may not do what was asked for
├── InputError                   3  bad input or configuration
│   ├── ImageError                  a file or a frame that is no usable picture
│   ├── DatasetError                labels.csv, dataset.toml, splits
│   ├── ProfileError                a device profile
│   └── OutputError                 the output exists, cannot be written, or the disk is full
├── ParityError                  4  an artifact does not say what Keras said, or a self-test failed
├── UnavailableError             5  an engine, provider or extra that was asked for is not there
├── CameraError                  6  a source gives no frame, or a stale one
└── IntegrityError               7  a bundle or record that is damaged, altered or too new

Other usage errors (exit 2) are click's own.
"""

from __future__ import annotations

from typing import ClassVar, Self

from analyte.contract.redaction import redact


class AnalyteError(Exception):
    """One line a person can act on: what is wrong, where, what was expected, what was got, what to do.

    Raised as it is only where no narrower class fits.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        got: object = None,
        fix: str | None = None,
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.expected = None if expected is None else str(expected)
        self.got = None if got is None else str(got)
        self.fix = fix
        super().__init__(self.line())

    def line(self) -> str:
        """Return the message as one line of text, without credentials: addresses come from everywhere."""
        text = self.what if self.where is None else f"{self.where}: {self.what}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.got is not None:
            text += f"; got {self.got}"
        if self.fix is not None:
            text += f". {self.fix}"
        return redact(" ".join(text.split()))

    def named(self, place: object, name: object) -> Self:
        """Return the same error with a place called as the user knows it: the original, not a copy of it."""

        def said(text: str | None) -> str | None:
            return None if text is None else text.replace(str(place), str(name))

        what, fix = said(self.what) or "", said(self.fix)
        return type(self)(
            what, where=said(self.where), expected=said(self.expected), got=said(self.got), fix=fix
        )


class SettingsError(AnalyteError):
    """An option has a value that does not exist, or does not go with another one or with the data."""

    exit_code = 2


class RoleError(SettingsError):
    """A person asked for what takes another role."""


class InputError(AnalyteError):
    """What the user gave cannot be used."""

    exit_code = 3


class ImageError(InputError):
    """A file or frame is not a picture that can be measured."""


class DatasetError(InputError):
    """A dataset is incomplete, contradictory or cannot be split honestly."""


class ProfileError(InputError):
    """A device profile has an unknown key, a wrong value or does not fit the bundle."""


class OutputError(InputError):
    """An output exists already, cannot be written, or the disk is full."""


class ParityError(AnalyteError):
    """An exported artifact deviates from the trained model by more than its tolerance."""

    exit_code = 4


class UnavailableError(AnalyteError):
    """An engine, provider, delegate or optional extra was asked for and is not there."""

    exit_code = 5


class CameraError(AnalyteError):
    """A frame source cannot be opened, stalls, ends early or gives stale frames."""

    exit_code = 6


class IntegrityError(AnalyteError):
    """A bundle, file or record is missing, damaged, altered or of a newer schema."""

    exit_code = 7
