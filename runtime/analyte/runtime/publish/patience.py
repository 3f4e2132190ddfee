"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Waiting times, seconds.

    Each is shortened by up to half, at random: a hundred devices that lost the same broker must not come back
    in the same moment.
    """

    first_s: float = 0.5
    """After the first failure; it doubles with each further one."""
    longest_s: float = 30.0
    lasting_s: float = 60.0
    """After a failure that only a person can mend: a password, a certificate, a permission."""

    def delay_s(self, failures: int, *, lasting: bool) -> float:
        """Return the time to wait after so many failures in a row, at least 1."""
        whole = self.lasting_s if lasting else min(self.first_s * 2 ** min(failures - 1, 30), self.longest_s)
        return whole * random.uniform(0.5, 1.0)
