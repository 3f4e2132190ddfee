"""What a person asks the running daemon for: the next reading is that of a control or a standard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from analyte.contract.errors import InputError
from analyte.contract.reading import Reading

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReadingRequest(Generic[T]):
    """What is wanted, what is done with the reading, and where the answer goes."""

    what: str
    """What is to be measured, for people: ``control 'low'``."""
    site: str
    """Well that holds it; empty where a frame gives one reading."""
    take: Callable[[Reading], T]
    """Makes the answer. Raises: AnalyteError."""
    answer: Future[T] = field(default_factory=Future)
    asked_s: float = field(default_factory=time.monotonic)
    """On `time.monotonic`'s clock, seconds: a frame taken before may show a specimen."""

    def fulfil(self, readings: Sequence[Reading]) -> list[Reading]:
        """Answer with the reading of the well; return those of specimens.

        An answer that was cancelled takes none away. Raises: whatever else than an InputError
        ``take`` raises, after the answer has it too: nobody waits for ever.
        """
        if not self.answer.set_running_or_notify_cancel():
            return list(readings)
        mine = next((one for one in readings if one.site == self.site), None)
        try:
            if mine is None:
                raise InputError("the profile has no such well", got=self.site or "none was named")
            self.answer.set_result(self.take(mine))
        except InputError as error:
            self.answer.set_exception(error)
        except Exception as error:
            self.answer.set_exception(error)
            raise
        return [one for one in readings if one is not mine]
