"""How a stage of the measuring chain says no."""

from __future__ import annotations

from analyte.contract.reading import Reason


class Refusal(Exception):  # noqa: N818 - a refusal is a reading, not an error
    """A frame of which no value may be reported; it becomes a refused reading that is stored."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """``detail``: what was expected and what was got, for people."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
