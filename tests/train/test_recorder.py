"""Ctrl-C: a wish at first, an order the second time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from analyte.train.recorder import CtrlC


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Leave the handler as it was."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_first_is_a_wish_and_the_second_an_order() -> None:
    before = signal.getsignal(signal.SIGINT)
    with CtrlC() as ctrl_c:
        assert not ctrl_c.asked
        press()
        assert ctrl_c.asked
        with pytest.raises(KeyboardInterrupt):
            press()
    assert signal.getsignal(signal.SIGINT) is before
