"""What the measuring chain adds to the two things that it cannot do without.

    python benchmarks/pipeline.py BUNDLE [--profile PROFILE] [--artifact NAME] [--repeats 2000] [--json]

In one process, interleaved, one thread: (a) one area resize of a 640x480 frame's 400 px region and one raw
engine run; (b) the pipeline with nothing switched on, frame in memory to Reading; (c) with everything that
the profile switches on. Prints p50 of each, their ratios to (a), and the time by stage. With --wells, a frame
with 96 wells in one batched run against 96 readings of the 400 px region. The picture is of the golden set,
so that nothing is refused early.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.preprocessing import Box
from analyte.contract.profile import load_profile
from analyte.contract.reading import Reading
from analyte.contract.sections.region import RegionSection, WellsSection
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.engines.registry import open_engine
from analyte.runtime.measuring import MeasureSettings, settings_from_profile
from analyte.runtime.pipeline import Pipeline
from analyte.runtime.regions.fixed import FixedRegions
from analyte.runtime.regions.registry import finder_of
from analyte.runtime.selection import first_installed_artifact
from analyte.runtime.sources.protocol import Frame

WIDTH, HEIGHT, REGION = 640, 480, Box(x=120, y=40, w=400, h=400)
ROWS, COLUMNS, WELL_PX = 8, 12, 40
WELLS = "96 wells in one frame"


def frame_of(pixels: UInt8Array) -> Frame:
    return Frame(pixels, datetime.now(UTC), time.monotonic(), "memory", 0)


def scene(picture: UInt8Array, box: Box) -> UInt8Array:
    """Return a frame, BGR, that shows a golden picture ``[S, S, 3]``, RGB, in ``box``."""
    frame = np.full((HEIGHT, WIDTH, 3), 210, np.uint8)
    enlarged = cv2.resize(picture[..., ::-1], (box.w, box.h), interpolation=cv2.INTER_CUBIC)
    frame[box.y : box.y + box.h, box.x : box.x + box.w] = enlarged
    return frame


def timed(cases: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Return microseconds by case; interleaved, so that what disturbs the machine disturbs all alike.

    Of this thread's own time on the processor: with one thread that is the time on an idle machine.
    """
    found: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(repeats + 50):
        for name, run in cases.items():
            start = time.thread_time()
            run()
            if turn >= 50:
                found[name].append(1e6 * (time.thread_time() - start))
    return found


def raw(engine: Engine, frame: UInt8Array, size: int) -> Callable[[], object]:
    """Return one area resize of the region and one engine run, with nothing around them."""
    out = np.empty((1, 1, size, size, 3), np.uint8)
    covariates = np.zeros((1, 0), np.float32)

    def run() -> object:
        cut = frame[REGION.y : REGION.y + REGION.h, REGION.x : REGION.x + REGION.w]
        cv2.resize(cut, (size, size), dst=out[0, 0], interpolation=cv2.INTER_AREA)
        return engine.run(out, covariates)

    return run


def wells_case(bundle: Bundle, engine: Engine, picture: UInt8Array) -> Callable[[], object]:
    """Return the measuring of 96 wells in one frame."""
    step = 48
    section = WellsSection(
        rows=ROWS, columns=COLUMNS, first=(40.0, 60.0),
        last=(40.0 + step * (COLUMNS - 1), 60.0 + step * (ROWS - 1)), size=WELL_PX,
    )  # fmt: skip
    views = bundle.manifest.views
    finder = finder_of(RegionSection(wells=section), views, where="benchmark")
    pixels = np.full((HEIGHT, WIDTH, 3), 210, np.uint8)
    for site in finder.locate(pixels).sites:
        box = site.boxes[views[0]]
        small = cv2.resize(picture[..., ::-1], (box.w, box.h), interpolation=cv2.INTER_AREA)
        pixels[box.y : box.y + box.h, box.x : box.x + box.w] = small
    artifact = first_installed_artifact(bundle)
    plate = Pipeline(bundle, artifact, engine, MeasureSettings("benchmark", finder))
    frame = frame_of(pixels)
    return lambda: plate.measure_all(frame)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="What the measuring chain adds to a resize and an engine run."
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--profile", type=Path, help="Switches on quality, colour and so on for case (c).")
    parser.add_argument("--artifact", help="Artifact; else the first whose engine is installed.")
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--wells", action="store_true", help="Also 96 wells of a plate.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    bundle = open_bundle(options.bundle)
    if len(bundle.manifest.views) != 1:
        sys.exit("a bundle of one view is needed")
    artifact = bundle.artifact(options.artifact) if options.artifact else first_installed_artifact(bundle)
    engine = open_engine(bundle.read(artifact), artifact.engine)
    picture = bundle.golden_set().images[0, 0]
    pixels = scene(picture, REGION)
    (view,) = bundle.manifest.views
    plain = Pipeline(bundle, artifact, engine, MeasureSettings("benchmark", FixedRegions({view: REGION})))
    cases: dict[str, Callable[[], object]] = {
        "resize + engine": raw(engine, pixels, bundle.manifest.preprocessing.size),
        "pipeline": lambda: plain.measure(frame_of(pixels)),
    }
    last: list[Reading] = []
    if options.profile:
        profile = load_profile(options.profile)
        settings = settings_from_profile(
            profile, bundle.manifest, FixedRegions({view: REGION}), {}, live=True, where=options.profile
        )
        full = Pipeline(bundle, artifact, engine, settings)
        cases["pipeline, everything on"] = lambda: last.append(full.measure(frame_of(pixels)))
    found = timed(cases, options.repeats)
    if options.wells:
        found |= timed({WELLS: wells_case(bundle, engine, picture)}, max(20, options.repeats // 100))
    report(found, last, artifact.name, as_json=options.json)


def report(found: dict[str, list[float]], readings: list[Reading], artifact: str, *, as_json: bool) -> None:
    p50 = {name: statistics.median(times) for name, times in found.items()}
    p99 = {name: float(np.percentile(times, 99)) for name, times in found.items()}
    base = p50["resize + engine"]
    stages = {
        stage: 1e3 * statistics.median(reading.latency_ms[stage] for reading in readings)
        for stage in (readings[-1].latency_ms if readings else ())
    }
    if as_json:
        print(json.dumps({"artifact": artifact, "p50_us": p50, "p99_us": p99, "stages_us": stages}))
        return
    print(f"artifact {artifact}")
    for name, value in p50.items():
        ratio = "" if "well" in name else f"{value / base:8.2f}"
        print(f"{name:28s}{value:10.0f} us p50{p99[name]:10.0f} us p99{ratio}")
    if WELLS in p50:
        print(f"{WELLS} / 96 frames of one: {p50[WELLS] / (96 * p50['pipeline']):.3f}")
    for stage, value in stages.items():
        print(f"  {stage:26s}{value:10.0f} us")
    if readings and any(reading.refused for reading in readings):
        print(f"refused: {readings[-1].reason}: {readings[-1].detail}")


if __name__ == "__main__":
    main()
