"""Limits of a profile: what is measured, flagged and refused, in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.preprocessing import Box, PreprocessingSpec, preprocess
from analyte.contract.reading import Flag, Reason
from analyte.contract.sections.quality import QualitySection
from analyte.runtime.quality.protocol import QualityCheck, Verdict
from analyte.runtime.quality.registry import check_of
from analyte.runtime.regions.protocol import Site

SPEC = PreprocessingSpec(size=16)
LEFT, RIGHT = Box(x=0, y=0, w=64, h=64), Box(x=64, y=0, w=64, h=64)


def section(**limits: Mapping[str, float]) -> QualitySection:
    return QualitySection.model_validate(limits)


def check(*, consecutive: bool = True, **limits: Mapping[str, float]) -> QualityCheck:
    found = check_of(section(**limits), consecutive=consecutive)
    assert found is not None
    return found


def frame(left: int = 102, right: int = 153) -> UInt8Array:
    """Two plain halves with a mark in each."""
    pixels = np.full((64, 128, 3), left, np.uint8)
    pixels[:, 64:] = right
    cv2.circle(pixels, (32, 32), 4, (40, 40, 40), -1)
    cv2.circle(pixels, (96, 32), 4, (40, 40, 40), -1)
    return pixels


def examine(
    check: QualityCheck,
    pixels: UInt8Array,
    sites: Sequence[Site] = (Site("", {"sample": LEFT}),),
    views: Sequence[str] = ("sample",),
) -> list[Verdict]:
    cut = [[preprocess(pixels, SPEC, site.boxes.get(view)) for view in views] for site in sites]
    return check.examine(pixels, sites, np.array(cut), views)


def test_nothing_without_limits() -> None:
    assert check_of(QualitySection()) is None


def test_only_what_has_limits_is_measured() -> None:
    (verdict,) = examine(check(exposure={"flag_above": 0.9}, clipped={"flag_above": 0.9}), frame())
    assert set(verdict.figures) == {"exposure", "clipped"}
    assert (verdict.flags, verdict.reason, verdict.detail) == ((), None, "")


@pytest.mark.parametrize(
    ("limits", "flags", "reason", "detail"),
    [
        ({"flag_below": 0.39, "flag_above": 0.41}, (), None, ""),
        (
            {"flag_below": 0.5, "refuse_below": 0.3},
            (Flag.EXPOSURE,),
            None,
            "expected exposure of at least 0.5; got 0.4",
        ),
        ({"refuse_below": 0.5}, (), Reason.EXPOSURE, "expected exposure of at least 0.5; got 0.4"),
        (
            {"flag_above": 0.25, "refuse_above": 0.5},
            (Flag.EXPOSURE,),
            None,
            "expected exposure of at most 0.25; got 0.4",
        ),
        (
            {"flag_above": 0.25, "refuse_above": 0.3},
            (),
            Reason.EXPOSURE,
            "expected exposure of at most 0.3; got 0.4",
        ),
        ({"refuse_below": 0.40001}, (), Reason.EXPOSURE, "expected exposure of at least 0.40001; got 0.4"),
    ],
)
def test_flags_and_refusals(
    limits: dict[str, float], flags: tuple[Flag, ...], reason: Reason | None, detail: str
) -> None:
    pixels = np.full((64, 128, 3), 102, np.uint8)
    (verdict,) = examine(check(exposure=limits), pixels)
    assert verdict.figures == {"exposure": pytest.approx(0.4)}
    assert (verdict.flags, verdict.reason, verdict.detail) == (flags, reason, detail)


def test_a_limit_is_still_good() -> None:
    pixels = np.full((64, 64, 3), 255, np.uint8)
    (verdict,) = examine(check(clipped={"refuse_above": 1.0}, coverage={"refuse_below": 1.0}), pixels)
    assert verdict.reason is None


def test_figure_that_is_no_number_is_refused_whatever_the_limits() -> None:
    (verdict,) = examine(check(focus={"flag_above": 1.0}), np.full((64, 128, 3), 102, np.uint8))
    assert (verdict.reason, verdict.flags) == (Reason.FOCUS, ())
    assert verdict.detail == "expected a focus that can be told; the picture has one colour"


def test_the_first_in_the_order_of_causes_gives_the_reason_and_all_give_details() -> None:
    all_three = check(
        focus={"refuse_below": 1.0}, exposure={"refuse_below": 0.9}, clipped={"flag_below": 0.5}
    )
    (verdict,) = examine(all_three, frame())
    assert (verdict.reason, verdict.flags) == (Reason.EXPOSURE, (Flag.CLIPPED,))
    assert [part.split(" of ")[0] for part in verdict.detail.split("; ") if part.startswith("expected")] == [
        "expected exposure",
        "expected clipped",
        "expected focus",
    ]


def test_each_site_has_its_verdict() -> None:
    sites = [Site("A1", {"sample": LEFT}), Site("A2", {"sample": RIGHT}, coverage=0.5)]
    first, second = examine(
        check(exposure={"refuse_above": 0.5}, coverage={"flag_below": 0.9}), frame(), sites
    )
    assert (first.reason, first.flags) == (None, ())
    assert (second.reason, second.flags) == (Reason.EXPOSURE, (Flag.COVERAGE,))
    assert second.figures["coverage"] == 0.5


class TestViews:
    site = Site("", {"sample": RIGHT, "reference": LEFT})
    views = ("reference", "sample")

    def verdict(self, **limits: float) -> Verdict:
        return examine(check(exposure=limits), frame(102, 204), [self.site], self.views)[0]

    def test_the_lowest_counts_below_and_the_highest_above(self) -> None:
        low, high = self.verdict(refuse_below=0.5), self.verdict(refuse_above=0.5)
        assert low.detail.startswith("expected exposure in view reference of at least 0.5; got 0.39")
        assert high.detail.startswith("expected exposure in view sample of at most 0.5; got 0.79")
        assert low.figures["exposure"] < 0.4 < 0.7 < high.figures["exposure"]

    def test_one_frame_per_view_looks_at_its_own_region(self) -> None:
        (verdict,) = examine(check(exposure={"flag_above": 1}), frame(102, 204), [self.site], ["sample"])
        assert verdict.figures["exposure"] == pytest.approx(0.79, abs=0.01)


class TestMotion:
    def test_against_the_frame_before(self) -> None:
        moving = check(motion={"refuse_above": 0.05})
        still, moved = frame(), np.roll(frame(), 30, axis=1)
        assert examine(moving, still)[0].figures == {}
        assert examine(moving, still)[0].figures == {"motion": 0.0}
        assert examine(moving, moved)[0].reason is Reason.MOTION
        assert examine(moving, moved)[0].reason is None

    def test_remembers_a_buffer_that_is_used_again(self) -> None:
        moving = check(motion={"refuse_above": 0.002})
        sites, pixels = [Site("", {"sample": LEFT})], frame()
        buffer = preprocess(pixels, SPEC, LEFT)[np.newaxis, np.newaxis]
        moving.examine(pixels, sites, buffer, ["sample"])
        buffer[0, 0] = np.roll(buffer[0, 0], 8, axis=1)
        assert moving.examine(pixels, sites, buffer, ["sample"])[0].reason is Reason.MOTION

    def test_views_in_frames_of_their_own_are_not_mixed(self) -> None:
        moving = check(motion={"refuse_above": 0.05})
        site = Site("", {"reference": LEFT, "sample": RIGHT})
        for _ in range(2):
            for view, pixels in (("reference", frame()), ("sample", np.roll(frame(), 30, axis=1))):
                assert examine(moving, pixels, [site], [view])[0].reason is None

    def test_photographs_do_not_follow_each_other(self) -> None:
        assert check_of(section(motion={"refuse_above": 0.05}), consecutive=False) is None
        both = check(motion={"refuse_above": 0.05}, coverage={"refuse_below": 0.5}, consecutive=False)
        for pixels in (frame(), np.roll(frame(), 30, axis=1)):
            assert examine(both, pixels)[0].figures == {"coverage": 1.0}

    def test_against_the_last_frame_that_was_good_enough(self) -> None:
        moving = check(motion={"refuse_above": 0.05}, light={"level": 0.6, "refuse_below": 0.9})
        dark = np.roll(frame(right=60), 30, axis=1)
        exchanged = frame()
        exchanged[8:56, 8:32] = 220
        reasons = [
            examine(moving, pixels)[0].reason
            for pixels in (frame(), dark, frame(), dark, exchanged, exchanged)
        ]
        assert reasons == [None, Reason.LIGHT, None, Reason.LIGHT, Reason.MOTION, None]

    def test_after_a_black_frame(self) -> None:
        moving = check(motion={"refuse_above": 0.05})
        examine(moving, np.zeros((64, 128, 3), np.uint8))
        verdict = examine(moving, frame())[0]
        assert (verdict.reason, verdict.detail) == (
            Reason.MOTION,
            "expected a motion that can be told; the picture before is black",
        )


def test_light_is_a_ratio_to_the_level_of_the_profile() -> None:
    limits = {"level": 0.5, "flag_above": 1.1, "flag_below": 0.9}
    (verdict,) = examine(check(light=limits), frame(right=153))
    assert verdict.figures["light"] == pytest.approx(0.6 / 0.5)
    assert verdict.flags == (Flag.LIGHT,)


def test_all_seven_can_be_asked_for() -> None:
    wide = {"flag_above": 1.0}
    seven = check(
        **dict.fromkeys(("focus", "clipped", "exposure", "glare", "motion"), wide),
        light={"level": 1, "flag_above": 9},
        coverage={"flag_below": 0.0},
    )
    examine(seven, frame())
    (verdict,) = examine(seven, frame())
    assert set(verdict.figures) == set(QualitySection.model_fields)
    assert verdict.reason is None


def test_verdicts_of_two_frames_are_joined() -> None:
    good, flagged = Verdict({"focus": 0.3, "glare": 0.0}), Verdict({"focus": 0.2}, (Flag.FOCUS,), None, "a")
    refused = Verdict({"focus": 0.1}, (Flag.GLARE,), Reason.FOCUS, "b")
    for one, other in ((good, flagged), (flagged, good)):
        assert one.joined(other) == Verdict({"focus": 0.2, "glare": 0.0}, (Flag.FOCUS,), None, "a")
    both = flagged.joined(refused)
    assert (both.figures, both.reason, both.detail) == ({"focus": 0.1}, Reason.FOCUS, "a; b")
    assert both.flags == (Flag.FOCUS, Flag.GLARE)
    assert refused.joined(flagged).figures == {"focus": 0.1}
    blurred = Verdict({"focus": 0.1, "glare": 0.0}, (Flag.FOCUS,), None, "a")
    glaring = Verdict({"focus": 0.5, "glare": 0.3}, (Flag.GLARE,), None, "b")
    for one, other in ((blurred, glaring), (glaring, blurred)):
        assert one.joined(other).figures == {"focus": 0.1, "glare": 0.3}
