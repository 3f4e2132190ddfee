"""Which readings are on their way to the broker, and which of them have all arrived."""

from __future__ import annotations


class Window:
    """Readings that were sent over one connection, in their order, by sequence number.

    Acknowledgements may come in any order. What is forgotten is only ever a run without a gap from the
    oldest one: a reading behind a gap is sent again with the gap, so that order is kept.
    """

    def __init__(self, size: int) -> None:
        """``size``: how many may be on their way, at least 1."""
        self._size = size
        self._arrived: dict[int, bool] = {}
        self.last = 0
        """The newest sequence number that was sent; 0 before the first."""

    def __len__(self) -> int:
        return len(self._arrived)

    @property
    def free(self) -> int:
        """How many more may be sent."""
        return max(self._size - len(self._arrived), 0)

    def resize(self, size: int) -> None:
        """Let ``size`` be on their way from now on; those that are stay."""
        self._size = size

    def send(self, sequence: int) -> None:
        """Note a reading as sent. Raises: ValueError when it is not newer than the last one."""
        if sequence <= self.last:
            raise ValueError(f"reading {sequence} would follow {self.last}")
        self._arrived[sequence] = False
        self.last = sequence

    def arrive(self, sequence: int) -> None:
        """Note an acknowledgement; one of a reading that is not on its way is passed over."""
        if sequence in self._arrived:
            self._arrived[sequence] = True

    def take_arrived(self) -> int | None:
        """Forget the run of oldest readings that have arrived; return its last one, None without any."""
        last = None
        for sequence, arrived in list(self._arrived.items()):
            if not arrived:
                break
            del self._arrived[sequence]
            last = sequence
        return last
