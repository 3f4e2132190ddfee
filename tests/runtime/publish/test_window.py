"""What may be forgotten, whatever the order of acknowledgements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.runtime.publish.patience import Patience
from analyte.runtime.publish.window import Window


@given(st.permutations(range(1, 13)), st.lists(st.booleans(), min_size=12, max_size=12))
def test_only_runs_without_a_gap_are_forgotten(order: list[int], takes: list[bool]) -> None:
    window, arrived, forgotten = Window(12), set[int](), 0
    for sequence in range(1, 13):
        window.send(sequence)
    assert window.free == 0
    for sequence, take in zip(order, takes, strict=True):
        window.arrive(sequence)
        arrived.add(sequence)
        if take and (last := window.take_arrived()) is not None:
            assert last > forgotten
            forgotten = last
        assert set(range(1, forgotten + 1)) <= arrived
        if take:
            assert forgotten + 1 not in arrived
    window.take_arrived()
    assert (len(window), window.free, window.last) == (0, 12, 12)


def test_order_and_strangers() -> None:
    window = Window(2)
    window.send(5)
    window.arrive(4)
    assert window.take_arrived() is None
    with pytest.raises(ValueError, match="5 would follow 5"):
        window.send(5)
    window.resize(1)
    assert window.free == 0


@given(st.integers(1, 10_000), st.booleans())
def test_waits_are_bounded(failures: int, lasting: bool) -> None:
    patience = Patience(first_s=1.0, longest_s=30.0, lasting_s=60.0)
    whole = 60.0 if lasting else min(2.0 ** min(failures - 1, 10), 30.0)
    assert whole / 2 <= patience.delay_s(failures, lasting=lasting) <= whole
