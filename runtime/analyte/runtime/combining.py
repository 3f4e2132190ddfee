"""One reading out of several frames of a site: their median, without outliers, and how far they scatter."""

from __future__ import annotations

import math
import statistics
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analyte.contract.reading import Flag, Reading, Reason

_OUTLIER_Z = 3.5
_Z_PER_MAD = 0.6745
"""Iglewicz and Hoaglin 1993, How to detect and handle outliers: a value is a potential outlier where its
modified z-score, 0.6745 times its distance from the median over the median absolute deviation (MAD), exceeds
3.5."""
_ROUNDING = 8 * float(np.finfo(np.float32).eps)
"""Values are computed in float32: a MAD below this share of them is rounding, and no measure of scatter."""
_OF_THE_VALUE = frozenset({Flag.OUT_OF_RANGE, Flag.BELOW_LOD, Flag.BELOW_LOQ})
"""Flags that belong to the value and not to its photograph."""


@dataclass(frozen=True, slots=True)
class _Good:
    """A reading that was not refused, and what stands for its value where it is below the detection limit."""

    reading: Reading
    value: float

    @property
    def below_lod(self) -> bool:
        """Whether it gives no value."""
        return self.reading.value is None


def combine(readings: Sequence[Reading], *, wanted: int, max_spread: float | None) -> Reading:
    """Return the reading of one site whose frames gave ``readings``, of which ``wanted`` were asked for.

    The value is the median of the frames that are neither refused nor outliers, ``spread`` their sample
    standard deviation, in the label's unit. A frame below the limit of detection is less than any value, so
    the majority decides whether there is one; at a tie there is none. For outliers it stands at its upper end
    or the least value, whichever is less; for the spread half an interval lower, see `_spread`.

    The interval is not narrowed by the number of frames: all show one specimen, and the error that the
    calibration found from specimen to specimen is the same in each of them. It is that of the middle frame,
    widened where the frames scatter by more than their sigma says.

    Refused with the reason that all frames have in common, else as UNSTEADY where less than half of
    ``wanted`` are left, or where they scatter by more than ``max_spread``.
    Raises: ValueError without readings, or for readings of different sites, bundles, units or recalibrations.
    """
    if len({(one.site, one.bundle, one.unit, one.recalibration) for one in readings}) != 1:
        raise ValueError("expected readings of one site by one bundle and recalibration in one unit")
    good = _with_stand_ins([reading for reading in readings if not reading.refused])
    used = _without_outliers(good)
    counts = _in_words(readings, len(good) - len(used))
    below = sum(frame.below_lod for frame in used)
    if 0 < 2 * below < len(used):
        counts = "; ".join(filter(None, (counts, f"{below} of {len(used)} are below the limit of detection")))
    if not used or 2 * len(used) < wanted:
        reasons = {reading.reason for reading in readings}
        reason = reasons.pop() if len(reasons) == 1 else None
        few = f"expected at least {(wanted + 1) // 2} of {wanted} frames to be good; got {len(used)}"
        if len(readings) < wanted:
            few += f" of the {len(readings)} that there were"
        return _refused(readings, used, reason or Reason.UNSTEADY, f"{few}; {counts}" if counts else few)
    spread = _spread(used)
    if max_spread is not None and spread is not None and spread > max_spread:
        unit = used[0].reading.unit
        detail = f"expected values that scatter by at most {max_spread:g} {unit}; got {spread:.4g}"
        return replace(_refused(readings, used, Reason.UNSTEADY, detail), spread=spread)
    given = _below_lod(readings, used) if 2 * below >= len(used) else _median(readings, used, spread)
    if len(used) < len(good):
        given = replace(given, flags=(*given.flags, Flag.OUTLIERS))
    return replace(given, detail="; ".join(filter(None, (given.detail, counts))))


def shown_frame(readings: Sequence[Reading]) -> int:
    """Return which of a site's frames, by their ``readings``, a refusal of them shows.

    The first that was refused for the most common reason; the first of all where none was.
    """
    reasons = [reading.reason for reading in readings]
    refused = Counter(reason for reason in reasons if reason is not None)
    return reasons.index(refused.most_common(1)[0][0]) if refused else 0


def _with_stand_ins(readings: Sequence[Reading]) -> list[_Good]:
    """Give every reading that was not refused a number to compare it by."""
    least = min((reading.value for reading in readings if reading.value is not None), default=math.inf)
    good: list[_Good] = []
    for reading in readings:
        if reading.value is not None:
            good.append(_Good(reading, reading.value))
        elif reading.upper is not None:
            good.append(_Good(reading, min(reading.upper, least)))
        else:
            raise ValueError("a reading that is not refused has neither a value nor an upper end")
    return good


def _without_outliers(good: Sequence[_Good]) -> list[_Good]:
    """Leave out what lies far from the median by the MAD, and by more than the frames' median sigma.

    A camera that stands still gives frames that differ by far less than sigma: what is far from the others
    by their measure may still be as good as they are. At least half always stay.
    """
    if not good:
        return []
    middle = statistics.median(frame.value for frame in good)
    mad = statistics.median(abs(frame.value - middle) for frame in good)
    if mad <= _ROUNDING * statistics.median(abs(frame.value) for frame in good):
        return list(good)
    sigma = statistics.median(frame.reading.sigma or 0.0 for frame in good)
    farthest = max(_OUTLIER_Z * mad / _Z_PER_MAD, sigma)
    return [frame for frame in good if abs(frame.value - middle) <= farthest]


def _spread(used: Sequence[_Good]) -> float | None:
    """Return the sample standard deviation of the frames' values; None of one frame.

    The upper end of a frame below the limit of detection is that of its interval, or the limit where that is
    higher: half an interval below it lies its value, or the value is less still, and the spread more.
    """
    if len(used) < 2:
        return None
    valued = [reading for frame in used if (reading := frame.reading).value is not None]
    half = statistics.median(_distance(one.value, one.upper) for one in valued) if valued else 0.0
    below = [frame for frame in used if frame.below_lod]
    ends = [
        min(frame.value, frame.reading.upper - half) for frame in below if frame.reading.upper is not None
    ]
    return statistics.stdev([*(frame.value for frame in used if not frame.below_lod), *ends])


def _median(readings: Sequence[Reading], used: Sequence[_Good], spread: float | None) -> Reading:
    """Return the reading of frames most of which have a value."""
    # At equal numbers those below the limit first: fewer than half, they never reach the middle.
    ordered = sorted(used, key=lambda frame: (frame.value, not frame.below_lod))
    half = (len(ordered) - 1) // 2
    # One frame, or two of an even number; both have a value, since most have.
    centre = [frame.reading for frame in ordered[half : len(ordered) - half]]
    middle = statistics.median(frame.value for frame in used)
    valued = [reading for frame in used if (reading := frame.reading).value is not None]
    sigma = statistics.median(reading.sigma or 0.0 for reading in valued)
    below = statistics.median(_distance(reading.value, reading.lower) for reading in valued)
    above = statistics.median(_distance(reading.value, reading.upper) for reading in valued)
    scatter = spread or 0.0
    widened = max(1.0, scatter / sigma) if sigma > 0 else 1.0
    least = scatter if sigma == 0 else 0.0
    flags, detail = _flags([*centre, *(frame.reading for frame in used)], len(centre))
    return replace(
        _together(readings, used, centre[0]),
        value=middle,
        lower=middle - max(least, widened * below),
        upper=middle + max(least, widened * above),
        sigma=max(sigma, scatter),
        flags=flags,
        detail=detail,
        spread=spread,
    )


def _distance(value: float | None, end: float | None) -> float:
    return 0.0 if value is None or end is None else abs(end - value)


def _below_lod(readings: Sequence[Reading], used: Sequence[_Good]) -> Reading:
    """Return the reading of frames at least half of which are below the limit of detection."""
    centre = [frame.reading for frame in used if frame.below_lod]
    flags, detail = _flags([*centre, *(frame.reading for frame in used)], len(centre))
    uppers = [reading.upper for frame in used if (reading := frame.reading).upper is not None]
    return replace(
        _together(readings, used, centre[0]),
        value=None,
        lower=None,
        upper=max(uppers),
        sigma=None,
        flags=flags,
        detail=detail,
        spread=None,
    )


def _refused(readings: Sequence[Reading], used: Sequence[_Good], reason: Reason, detail: str) -> Reading:
    """Return the refusal of a site, with the frame that it shows."""
    shown = readings[shown_frame(readings)]
    return replace(
        _together(readings, used, shown),
        value=None,
        lower=None,
        upper=None,
        sigma=None,
        flags=(),
        refused=True,
        reason=reason,
        detail=f"{detail}; {shown.detail}" if shown.refused and shown.detail else detail,
        spread=None,
    )


def _together(readings: Sequence[Reading], used: Sequence[_Good], shown: Reading) -> Reading:
    """Return ``shown`` with what is known of all frames; hash, regions, colour and file stay its own."""
    frames = sum(frame.reading.frames for frame in used)
    kept = [frame.reading for frame in used] or list(readings)
    stages = dict.fromkeys(stage for reading in readings for stage in reading.latency_ms)
    figures = dict.fromkeys(name for reading in kept for name in reading.quality)
    sources = list(dict.fromkeys(reading.source for reading in readings))
    return replace(
        shown,
        id=str(uuid.uuid4()),
        source=sources[0] if len(sources) == 1 else f"{sources[0]} to {sources[-1]}",
        frames=frames,
        rejected_frames=sum(reading.frames + reading.rejected_frames for reading in readings) - frames,
        captured_at=min(reading.captured_at for reading in kept),
        capture_age_ms=max(reading.capture_age_ms for reading in kept),
        latency_ms={
            stage: sum(reading.latency_ms.get(stage, 0.0) for reading in readings) for stage in stages
        },
        quality={
            name: statistics.median(reading.quality[name] for reading in kept if name in reading.quality)
            for name in figures
        },
    )


def _flags(readings: Sequence[Reading], central: int) -> tuple[tuple[Flag, ...], str]:
    """Return the flags of the photographs, and those of the value from the first ``central`` readings only.

    And for each flag what the first reading that has it says.
    """
    flags: list[Flag] = []
    details: list[str] = []
    for at, reading in enumerate(readings):
        new = [
            flag
            for flag in reading.flags
            if flag not in flags and (at < central or flag not in _OF_THE_VALUE)
        ]
        if new:
            flags += new
            details.append(reading.detail)
    return tuple(flags), "; ".join(dict.fromkeys(filter(None, details)))


def _in_words(readings: Sequence[Reading], outliers: int) -> str:
    """Return how many frames were rejected and why; empty where none was."""
    reasons = Counter(reading.reason.value for reading in readings if reading.reason is not None)
    counts = [f"{count} refused for {reason}" for reason, count in reasons.most_common()]
    if outliers:
        counts.append(f"{outliers} rejected as outlier{'s' if outliers > 1 else ''}")
    return f"of {len(readings)} frames {', '.join(counts)}" if counts else ""
