"""What the figures of a photograph's quality detect, what the learned limits do, and what the check costs.

    analyte simulate /tmp/q_sim --samples 200 --seed 5 --size 128
    python benchmarks/quality.py detect /tmp/q_sim ../shared/data/gray_calibrators ...
    python benchmarks/quality.py time

``detect``: faults are put into good photographs. For each, the detection rate of one figure with its limit
where 2 % of the good photographs lie beyond it; and which share limits flag or refuse that were learned from
every other photograph, of the rest. ``time``: a 400x400 region of a 640x480 frame, one cut-out of 64x64.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.imaging import read_image
from analyte.contract.preprocessing import Box, PreprocessingSpec, preprocess
from analyte.contract.sections.quality import LightLimits, QualitySection, ShareLimits
from analyte.contract.tables import format_table
from analyte.runtime.quality.check import compare
from analyte.runtime.quality.collecting import find_photographs
from analyte.runtime.quality.empty import refuse_empty
from analyte.runtime.quality.figures import FIGURES, FigureName, Look
from analyte.runtime.quality.learning import LEARNED, Learned, learn
from analyte.runtime.quality.registry import check_of
from analyte.runtime.regions.protocol import Site

CUT_OUT = PreprocessingSpec(size=64)
NOISE = 1.5
"""Standard deviation of the noise that a picture with a fault gets, 8-bit levels: blur does not reach it."""
FALSE_ALARMS = 0.02
MOST = 300
"""Photographs of a dataset that are used, evenly over it."""
RNG = np.random.default_rng(7)

Fault = Callable[[UInt8Array, Box], UInt8Array]


@dataclass(frozen=True)
class Case:
    name: str
    figure: FigureName
    low: bool
    """Whether low is bad."""
    apply: Fault


def noisy(pixels: Float64Array) -> UInt8Array:
    return np.clip(pixels + RNG.normal(0, NOISE, pixels.shape), 0, 255).round().astype(np.uint8)


def blurred(sigma: float) -> Fault:
    return lambda frame, box: noisy(cv2.GaussianBlur(frame, (0, 0), sigma).astype(np.float64))


def exposed(gain: float) -> Fault:
    """Multiply the light; 2.2 stands for the camera's gamma."""
    return lambda frame, box: noisy(255 * np.clip((frame / 255) ** 2.2 * gain, 0, 1) ** (1 / 2.2))


def glaring(share: float) -> Fault:
    """Put a saturated disc of ``share`` of the region with a soft edge at a random place well inside."""

    def apply(frame: UInt8Array, box: Box) -> UInt8Array:
        edge = min(box.w, box.h)
        radius = edge * (share / np.pi) ** 0.5
        x, y = box.x + box.w * RNG.uniform(0.3, 0.7), box.y + box.h * RNG.uniform(0.3, 0.7)
        rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
        distance = np.hypot(columns - x, rows - y)
        cover = np.clip(1 - (distance - radius) / max(1.0, 0.3 * radius), 0, 1)[..., np.newaxis]
        return noisy(frame * (1 - cover) + 255 * cover)

    return apply


def shifted(share: float) -> Fault:
    """Move the scene by ``share`` of the region's edge in a random direction, under 5 % other light."""

    def apply(frame: UInt8Array, box: Box) -> UInt8Array:
        angle, far = RNG.uniform(0, 2 * np.pi), share * min(box.w, box.h)
        matrix = np.array([[1, 0, far * np.cos(angle)], [0, 1, far * np.sin(angle)]])
        moved = cv2.warpAffine(frame, matrix, frame.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        return exposed(RNG.uniform(0.95, 1.05))(np.asarray(moved, np.uint8), box)

    return apply


CASES = (
    Case("blur, sigma 1 px", "focus", True, blurred(1)),
    Case("blur, sigma 2 px", "focus", True, blurred(2)),
    Case("blur, sigma 4 px", "focus", True, blurred(4)),
    Case("light x 0.25", "exposure", True, exposed(0.25)),
    Case("light x 0.5", "exposure", True, exposed(0.5)),
    Case("light x 0.7", "light", True, exposed(0.7)),
    Case("light x 1.4", "light", False, exposed(1.4)),
    Case("light x 2", "exposure", False, exposed(2)),
    Case("light x 3", "clipped", False, exposed(3)),
    Case("glare, 0.5 % of the region", "glare", False, glaring(0.005)),
    Case("glare, 2 % of the region", "glare", False, glaring(0.02)),
    Case("moved by 1 % of the edge", "motion", False, shifted(0.01)),
    Case("moved by 3 % of the edge", "motion", False, shifted(0.03)),
    Case("moved by 10 % of the edge", "motion", False, shifted(0.1)),
)


@dataclass(frozen=True)
class Shot:
    """The views of a sample, as frames and regions."""

    views: tuple[tuple[UInt8Array, Box], ...]

    def looks(self, fault: Fault | None) -> list[Look]:
        found: list[Look] = []
        for frame, box in self.views:
            seen = frame if fault is None else fault(frame, box)
            before = preprocess(noisy(frame.astype(np.float64)), CUT_OUT, box)
            found.append(Look(seen, box, preprocess(seen, CUT_OUT, box), before))
        return found


def load(path: Path) -> list[Shot]:
    photographs, views = find_photographs(path)
    count = min(MOST, len(photographs))
    shots: list[Shot] = []
    for at in np.linspace(0, len(photographs) - 1, count).round().astype(int):
        one = photographs[at]
        pixels = [read_image(file) for file in one.paths]
        boxes = [one.regions.get(view) for view in views or ("sample",)]
        whole = [Box(x=0, y=0, w=frame.shape[1], h=frame.shape[0]) for frame in pixels]
        shots.append(Shot(tuple((f, box or full) for f, box, full in zip(pixels, boxes, whole, strict=True))))
    return shots


def measured(shots: Sequence[Shot], fault: Fault | None, name: FigureName) -> Float64Array:
    """Return ``[N, V]``; a figure that cannot be told counts as 0."""
    rows = [[FIGURES[name](look) for look in shot.looks(fault)] for shot in shots]
    return np.nan_to_num(np.array(rows, np.float64))


def detection_rate(case: Case, good: Float64Array, bad: Float64Array) -> float:
    if case.low:
        return float(np.mean(bad.min(axis=1) < np.quantile(good.min(axis=1), FALSE_ALARMS)))
    return float(np.mean(bad.max(axis=1) > np.quantile(good.max(axis=1), 1 - FALSE_ALARMS)))


def judged(shots: Sequence[Shot], fault: Fault | None, learned: Sequence[Learned]) -> tuple[float, float]:
    """Return the shares that learned limits flag or refuse, and that they refuse."""
    flagged = refused = 0
    for shot in shots:
        looks, findings = shot.looks(fault), []
        for one in learned:
            level = one.limits.level if isinstance(one.limits, LightLimits) else 1.0
            seen = [(float(FIGURES[one.name](look) or 0.0) / level, 0) for look in looks]
            findings.append(compare(one.limits, seen)[1])
        flagged += any(finding is not None for finding in findings)
        refused += any(finding is not None and finding.refused for finding in findings)
    return flagged / len(shots), refused / len(shots)


def detect(paths: Sequence[Path]) -> None:
    print(
        "| photographs | fault | figure | detected at 2 % false alarms | learned limits: flagged | refused |"
    )
    print("| --- | --- | --- | --: | --: | --: |")
    for path in paths:
        shots = load(path)
        learning, rest = shots[::2], shots[1::2]
        learned = learn({name: measured(learning, None, name) for name in LEARNED}, false_alarms=0.01)
        still = Case("", "motion", False, shifted(0.0))
        good = {name: measured(shots, still.apply if name == "motion" else None, name) for name in FIGURES}
        print(f"| {path.name} ({len(shots)}) | none | | 2 % | {_shares(*judged(rest, None, learned))} |")
        for case in CASES:
            rate = detection_rate(case, good[case.figure], measured(shots, case.apply, case.figure))
            shares = "- | -" if case.figure == "motion" else _shares(*judged(rest, case.apply, learned))
            print(f"| {path.name} | {case.name} | {case.figure} | {100 * rate:.0f} % | {shares} |")


def _shares(*shares: float) -> str:
    return " | ".join(f"{100 * share:.1f} %" for share in shares)


def p50_p99_us(action: Callable[[], object], repeats: int = 2000) -> tuple[float, float]:
    for _ in range(100):
        action()
    times: list[int] = []
    for _ in range(repeats):
        start = time.perf_counter_ns()
        action()
        times.append(time.perf_counter_ns() - start)
    return float(np.median(times)) / 1e3, float(np.quantile(times, 0.99)) / 1e3


def measure_times() -> None:
    cv2.setNumThreads(1)
    small = np.random.default_rng(1).uniform(120, 255, (12, 16, 3)).astype(np.float32)
    frame = noisy(cv2.resize(small, (640, 480), interpolation=cv2.INTER_CUBIC).astype(np.float64))
    box = Box(x=120, y=40, w=400, h=400)
    frame = glaring(0.01)(frame, box)
    picture = preprocess(frame, CUT_OUT, box)
    pictures, sites = picture[np.newaxis, np.newaxis], [Site("", {"sample": box})]
    everything = ShareLimits(flag_above=1.0)
    limits = dict.fromkeys(("focus", "clipped", "exposure", "glare", "motion", "coverage"), everything)
    section = QualitySection.model_validate(
        {name: limit.model_dump() for name, limit in limits.items()}
        | {"light": {"level": 1, "flag_above": 9}}
    )
    check = check_of(section)
    assert check is not None
    rows = [
        ("area resize of the region, for comparison", *p50_p99_us(lambda: preprocess(frame, CUT_OUT, box))),
        ("the whole check", *p50_p99_us(lambda: check.examine(frame, sites, pictures, ["sample"]))),
        ("refuse_empty", *p50_p99_us(lambda: refuse_empty(pictures[0]))),
    ]
    for name, figure in FIGURES.items():

        def alone(measure: Callable[[Look], float | None] = figure) -> object:
            return measure(Look(frame, box, picture, picture))

        rows.append((f"{name} alone", *p50_p99_us(alone)))
    shown = [(name, f"{p50:.1f}", f"{p99:.1f}") for name, p50, p99 in rows]
    print(format_table(("", "p50, us", "p99, us"), shown, right=frozenset((1, 2))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("detect").add_argument("paths", type=Path, nargs="+")
    commands.add_parser("time")
    given = parser.parse_args()
    detect(given.paths) if given.command == "detect" else measure_times()


if __name__ == "__main__":
    main()
