"""Several frames of one site as one reading."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.reading import Flag, Reading, Reason
from analyte.runtime.combining import combine

HALF_WIDTH = 2.0
SIGMA = 1.0
LOD = 5.0


def value(number: float, *flags: Flag, **fields: object) -> Reading:
    reading = Reading(
        value=number,
        unit="mg/L",
        lower=number - HALF_WIDTH,
        upper=number + HALF_WIDTH,
        coverage=0.95,
        sigma=SIGMA,
        flags=flags,
        refused=False,
        reason=None,
        detail=", ".join(flags),
        analyte="dye",
        source="camera 0",
        frames=1,
        bundle="b",
        artifact="onnx",
        engine="onnx",
        provider="cpu",
        device="d",
        captured_at="2026-01-02T03:04:05.000000+00:00",
        capture_age_ms=1.0,
        latency_ms={"engine": 0.5, "total": 2.0},
        frame_sha256=f"hash of {number:g}",
        id=f"id of {number:g}",
        site="B7",
        quality={"focus": number / 10},
    )
    return replace(reading, **fields)  # type: ignore[arg-type]


def values(*numbers: float) -> list[Reading]:
    return [value(number) for number in numbers]


def refused(reason: Reason) -> Reading:
    nothing = {"value": None, "lower": None, "upper": None, "sigma": None, "flags": ()}
    return value(0.0, refused=True, reason=reason, detail=f"why {reason}", **nothing)


def below_lod(upper: float = LOD) -> Reading:
    return value(0.0, Flag.BELOW_LOD, value=None, lower=None, sigma=None, upper=upper)


def combined(
    readings: list[Reading], *, wanted: int | None = None, max_spread: float | None = None
) -> Reading:
    return combine(readings, wanted=wanted or len(readings), max_spread=max_spread)


def test_median_with_spread_and_no_narrower_interval() -> None:
    reading = combined(values(10.0, 10.2, 10.1, 9.9, 10.6))
    assert reading.value == 10.1
    assert reading.spread == pytest.approx(statistics.stdev([10.0, 10.2, 10.1, 9.9, 10.6]))
    assert reading.lower == pytest.approx(10.1 - HALF_WIDTH)
    assert reading.upper == pytest.approx(10.1 + HALF_WIDTH)
    assert (reading.sigma, reading.frames, reading.rejected_frames) == (SIGMA, 5, 0)
    assert (reading.flags, reading.refused, reading.reason, reading.detail) == ((), False, None, "")
    assert (reading.site, reading.frame_sha256) == ("B7", "hash of 10.1")


def test_even_number_of_frames() -> None:
    assert combined(values(10.0, 11.0, 10.4, 10.2)).value == pytest.approx(10.3)


def test_frames_that_scatter_by_more_than_sigma_widen_the_interval() -> None:
    reading = combined(values(10.0, 14.0, 18.0))
    assert reading.value == 14.0
    assert (reading.spread, reading.sigma) == (4.0, 4.0)
    assert reading.lower == pytest.approx(14.0 - 4 * HALF_WIDTH)
    assert reading.upper == pytest.approx(14.0 + 4 * HALF_WIDTH)


def test_scatter_without_a_sigma() -> None:
    flat = [replace(one, sigma=0.0, lower=one.value, upper=one.value) for one in values(10.0, 12.0, 14.0)]
    reading = combined(flat)
    assert (reading.lower, reading.upper, reading.sigma) == (10.0, 14.0, 2.0)


def test_outlier_is_rejected_and_flagged() -> None:
    reading = combined(values(10.0, 10.2, 10.1, 9.9, 50.0))
    assert reading.value == pytest.approx(10.05)
    assert reading.flags == (Flag.OUTLIERS,)
    assert (reading.frames, reading.rejected_frames) == (4, 1)
    assert reading.spread == pytest.approx(statistics.stdev([10.0, 10.2, 10.1, 9.9]))
    assert reading.detail == "of 5 frames 1 rejected as outlier"


def test_modified_z_score_of_three_and_a_half_is_the_limit() -> None:
    """MAD 1: the limit lies at 3.5 / 0.6745 = 5.19 from the median."""
    steady = [replace(one, sigma=0.1) for one in values(8.0, 9.0, 10.0, 11.0, 12.0)]
    assert combined([*steady, value(10.0), value(15.1)]).rejected_frames == 0
    assert combined([*steady, value(10.0), value(15.3)]).rejected_frames == 1


def test_far_by_the_frames_measure_but_within_sigma_is_no_outlier() -> None:
    assert combined(values(10.0, 10.001, 10.002, 10.003, 10.9)).flags == ()
    assert combined(values(10.0, 10.001, 10.002, 10.003, 11.1)).flags == (Flag.OUTLIERS,)


def test_nothing_is_rejected_where_most_frames_are_equal_but_for_rounding() -> None:
    for last in (10.0, 10.000001):
        reading = combined(values(10.0, 10.0, 10.0, last, 50.0, 10.000002))
        assert (reading.rejected_frames, reading.flags) == (0, ())


def test_spread_above_the_limit_is_refused() -> None:
    frames = values(10.0, 11.0, 12.0)
    assert not combined(frames, max_spread=1.0).refused
    reading = combined(frames, max_spread=0.99)
    assert (reading.refused, reading.reason, reading.value) == (True, Reason.UNSTEADY, None)
    assert (reading.lower, reading.upper, reading.sigma, reading.spread) == (None, None, None, 1.0)
    assert reading.detail == "expected values that scatter by at most 0.99 mg/L; got 1"


def test_refused_frames_count_as_rejected() -> None:
    reading = combined([*values(10.0, 10.1, 10.2), refused(Reason.FOCUS), refused(Reason.GLARE)])
    assert (reading.value, reading.frames, reading.rejected_frames) == (10.1, 3, 2)
    assert reading.flags == ()
    assert reading.detail == "of 5 frames 1 refused for focus, 1 refused for glare"


def test_less_than_half_good_is_refused() -> None:
    bad = [refused(Reason.FOCUS), refused(Reason.FOCUS)]
    assert combined([*values(10.0, 10.1), *bad]).value == pytest.approx(10.05)
    reading = combined([*values(10.0, 10.1), *bad, refused(Reason.GLARE)])
    assert (reading.refused, reading.reason, reading.value) == (True, Reason.UNSTEADY, None)
    assert (reading.frames, reading.rejected_frames) == (2, 3)
    assert "expected at least 3 of 5 frames to be good; got 2" in reading.detail
    assert "2 refused for focus" in reading.detail
    assert reading.detail.endswith("why focus")


def test_frames_that_never_came_are_not_good() -> None:
    assert combined(values(10.0, 10.1), wanted=5).reason is Reason.UNSTEADY
    assert combined(values(10.0, 10.1, 10.2), wanted=5).value == 10.1


def test_all_refused_for_one_reason_keep_it() -> None:
    reading = combined([refused(Reason.MOVED)] * 3)
    assert (reading.refused, reading.reason) == (True, Reason.MOVED)
    mixed = combined([refused(Reason.MOVED), refused(Reason.MOVED), refused(Reason.COLOUR)])
    assert mixed.reason is Reason.UNSTEADY


class TestBelowTheLimitOfDetection:
    def test_most_frames_below(self) -> None:
        reading = combined([below_lod(), below_lod(6.5), value(5.1)])
        assert (reading.value, reading.refused, reading.lower, reading.sigma) == (None, False, None, None)
        assert reading.flags == (Flag.BELOW_LOD,)
        assert reading.upper == 5.1 + HALF_WIDTH

    def test_a_tie_gives_no_value(self) -> None:
        assert combined([below_lod(), value(5.1)]).flags == (Flag.BELOW_LOD,)

    def test_fewer_frames_below_count_as_least(self) -> None:
        reading = combined([value(5.3), below_lod(), value(5.1), value(5.2), below_lod()])
        assert reading.value == 5.1
        assert reading.flags == ()

    @pytest.mark.parametrize("number", [LOD, LOD + 1.0])
    def test_one_below_is_never_in_the_middle(self, number: float) -> None:
        for upper in (number, number + 2.0):
            reading = combined([value(number), below_lod(upper), value(number), value(number)])
            assert (reading.value, reading.flags) == (number, ())

    def test_frames_far_above_make_it_unsteady(self) -> None:
        frames = [below_lod(), below_lod(), below_lod(), value(50.0), value(51.0)]
        assert combined(frames, max_spread=2.0).reason is Reason.UNSTEADY

    def test_one_frame_far_below_the_others_is_an_outlier(self) -> None:
        reading = combined([value(50.0), value(50.5), value(51.0), value(51.5), below_lod()])
        assert reading.value == pytest.approx(50.75)
        assert reading.flags == (Flag.OUTLIERS,)

    def test_spread_is_that_of_the_values_that_are_not_given(self) -> None:
        """A frame just below the limit has an upper end above it, which is that of its interval."""
        numbers = [5.3, 4.9, 5.1, 5.2, 4.4]
        frames = [value(one) if one >= LOD else below_lod(one + HALF_WIDTH) for one in numbers]
        reading = combined(frames)
        assert reading.spread == pytest.approx(statistics.stdev(numbers))
        assert reading.detail == "2 of 5 are below the limit of detection"
        assert combined(frames, max_spread=0.3).reason is Reason.UNSTEADY

    def test_frames_far_below_some_above_scatter_by_more_than_up_to_the_limit(self) -> None:
        """Their upper end is the limit: the value lies half an interval below it, or farther."""
        frames = [value(6.0), value(6.1), value(6.2), below_lod(), below_lod()]
        reading = combined(frames)
        assert reading.value == 6.0
        assert reading.spread == pytest.approx(statistics.stdev([6.0, 6.1, 6.2, 3.0, 3.0]))
        assert reading.sigma == reading.spread
        assert combined(frames, max_spread=1.0).reason is Reason.UNSTEADY


class TestFlags:
    def test_of_any_photograph(self) -> None:
        reading = combined([value(10.0, Flag.GLARE), value(10.1), value(10.2, Flag.FOCUS, Flag.GLARE)])
        assert set(reading.flags) == {Flag.GLARE, Flag.FOCUS}
        assert "glare" in reading.detail
        assert "focus" in reading.detail

    def test_of_the_value_only_from_the_middle(self) -> None:
        high = value(101.0, Flag.OUT_OF_RANGE)
        assert combined([high, value(99.0), value(99.5)]).flags == ()
        assert combined([high, high, value(99.5)]).flags == (Flag.OUT_OF_RANGE,)


def test_what_is_known_of_all_frames() -> None:
    frames = [
        value(10.0, captured_at="2026-01-02T03:04:05.300000+00:00", source="a.png"),
        value(11.0, captured_at="2026-01-02T03:04:05.100000+00:00", capture_age_ms=7.0, source="b.png"),
        value(12.0, captured_at="2026-01-02T03:04:05.200000+00:00", source="c.png", frames=2),
    ]
    reading = combined(frames)
    assert reading.captured_at == "2026-01-02T03:04:05.100000+00:00"
    assert (reading.capture_age_ms, reading.frames) == (7.0, 4)
    assert reading.latency_ms == {"engine": 1.5, "total": 6.0}
    assert reading.quality == {"focus": pytest.approx(1.1)}
    assert reading.source == "a.png to c.png"
    assert reading.id not in {frame.id for frame in frames}
    reading.to_json()


@pytest.mark.parametrize("other", [{"site": "B8"}, {"bundle": "c"}, {"unit": "g/L"}, {"recalibration": "2"}])
def test_readings_that_do_not_belong_together(other: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="one site"):
        combined([value(1.0), value(1.0, **other)])


def test_no_readings() -> None:
    with pytest.raises(ValueError, match="one site"):
        combine([], wanted=3, max_spread=None)


NUMBERS = st.floats(-100.0, 100.0)
FRAMES = st.one_of(
    NUMBERS.filter(lambda number: number >= LOD).map(value),
    st.floats(LOD, 8.0).map(below_lod),
    st.sampled_from([Reason.FOCUS, Reason.GLARE, Reason.MOTION]).map(refused),
)


@given(st.lists(NUMBERS, min_size=1, max_size=15))
def test_value_lies_among_the_frames_and_the_interval_is_not_narrowed(numbers: list[float]) -> None:
    reading = combined(values(*numbers))
    assert reading.value is not None
    assert reading.lower is not None
    assert reading.upper is not None
    assert min(numbers) <= reading.value <= max(numbers)
    assert reading.upper - reading.lower >= 2 * HALF_WIDTH * (1 - 1e-9)
    assert reading.sigma is not None
    assert reading.sigma >= max(SIGMA, reading.spread or 0.0)
    # The median of all is robust: outliers that are left out come from the ends.
    assert 2 * reading.frames >= len(numbers)


@given(st.lists(FRAMES, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_order_does_not_matter(frames: list[Reading], random: object) -> None:
    shuffled = list(frames)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = combined(frames), combined(shuffled)
    assert (one.value, one.refused, one.reason) == (other.value, other.refused, other.reason)
    assert (one.lower, one.upper, one.sigma) == (other.lower, other.upper, other.sigma)
    assert (one.frames, one.rejected_frames) == (other.frames, other.rejected_frames)


@given(st.lists(FRAMES, min_size=1, max_size=12), st.floats(0.1, 20.0))
def test_every_frame_is_accounted_for_and_nothing_is_half_refused(
    frames: list[Reading], max_spread: float
) -> None:
    reading = combined(frames, max_spread=max_spread)
    assert reading.frames + reading.rejected_frames == len(frames)
    assert reading.refused == (reading.reason is not None)
    if reading.refused:
        assert reading.value is reading.lower is reading.upper is reading.sigma is None
        assert reading.detail
    else:
        assert 2 * reading.frames >= len(frames)
        assert reading.spread is None or reading.spread <= max_spread
        assert (reading.value is None) == (Flag.BELOW_LOD in reading.flags)


@given(st.lists(st.floats(10.0, 11.0), min_size=3, max_size=9), st.floats(100.0, 1e6))
def test_one_wild_frame_does_not_move_the_value_out_of_the_others(numbers: list[float], wild: float) -> None:
    reading = combined(values(*numbers, wild))
    assert reading.value is not None
    assert min(numbers) <= reading.value <= max(numbers)
