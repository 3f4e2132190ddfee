"""Pictures that show nothing are refused without being asked for."""

from __future__ import annotations

import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.reading import Reason
from analyte.runtime.quality.empty import refuse_empty
from analyte.runtime.refusal import Refusal


def site(*colours: tuple[int, int, int]) -> UInt8Array:
    """Views of one colour each, RGB."""
    pictures = np.empty((len(colours), 16, 16, 3), np.uint8)
    for picture, colour in zip(pictures, colours, strict=True):
        picture[:] = colour
    return pictures


@pytest.mark.parametrize(
    ("colour", "reason"),
    [
        ((0, 0, 0), Reason.EXPOSURE),
        ((2, 2, 2), Reason.EXPOSURE),
        ((253, 253, 253), Reason.CLIPPED),
        ((255, 254, 255), Reason.CLIPPED),
    ],
)
def test_refused(colour: tuple[int, int, int], reason: Reason) -> None:
    with pytest.raises(Refusal, match=r"expected a picture; got a .*, mean level \d+\.\d of 255") as caught:
        refuse_empty(site(colour))
    assert caught.value.reason is reason


@pytest.mark.parametrize("colour", [(3, 2, 1), (0, 0, 3), (255, 0, 0), (255, 255, 252), (128, 128, 128)])
def test_colours_are_pictures(colour: tuple[int, int, int]) -> None:
    refuse_empty(site(colour))


@pytest.mark.parametrize("views", [((90, 90, 90), (0, 0, 0)), ((0, 0, 0), (90, 90, 90))])
def test_one_view_is_enough(views: tuple[tuple[int, int, int], ...]) -> None:
    with pytest.raises(Refusal):
        refuse_empty(site(*views))


def test_hot_pixels_are_no_picture() -> None:
    covered = site((1, 1, 1))
    covered[0, 3, 4] = 200
    with pytest.raises(Refusal) as caught:
        refuse_empty(covered)
    assert caught.value.reason is Reason.EXPOSURE
