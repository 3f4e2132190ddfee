"""How well the search for a round well does: error, misses, false finds and time.

    python benchmarks/regions.py [--frames 1000] [--seed 100] [--data ../shared/data] [--json]

With a well: 640x480 frames of the simulator, wells of random position, size, rotation, session and
liquid, from none to the most that each reaction's model holds for. Once within the default tolerance of
0.25 radii, once anywhere within a radius of the expected centre at 0.5 to 1.5 times the expected
radius. A frame is good where centre and radius are within 2 % of the true radius.

Without: plates without a well, the white reference, noise, textures and shapes, and real photographs of
other things (videos, colour charts, houses, pH strips, paper devices) cut at random. Real photographs
that do show a drawn or pressed circle (lfa_open_reader, gray_calibrators) are reported apart: they have
no true centre.

Times are of the processor, milliseconds, OpenCV on one thread.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.runtime.regions.circle_search import CircleSearch
from analyte.train.simulator.chemistry import REACTIONS
from analyte.train.simulator.config import SimulationConfig
from analyte.train.simulator.scene import (
    RIM_RADII,
    Frame,
    expose_reference,
    expose_well,
    liquid_profile,
    plate_texture,
)
from analyte.train.simulator.sensor import Development, develop, digitise, mean_electrons
from analyte.train.simulator.studio import Studio

WIDTH, HEIGHT = 640, 480
CENTRE = (WIDTH / 2, HEIGHT / 2)
BEYOND = 0.25
"""As `CircleRegion` searches beyond its tolerance, radii."""
LIMIT = 0.02
SCENE = Frame(HEIGHT, WIDTH, (WIDTH - HEIGHT) // 2, 0, HEIGHT)
OTHER_PHOTOGRAPHS = ("videos", "colour_charts", "houses_small", "ph_strip_lightbox", "pad_food_dye")
CIRCLES = ("lfa_open_reader", "gray_calibrators")


def simulated(
    studios: list[Studio], rng: np.random.Generator, kind: str, circle: tuple[float, ...]
) -> UInt8Array:
    """Photograph a well at ``circle`` (x, y, radius, pixels), a plate without one or the white
    reference."""
    studio = studios[int(rng.integers(len(studios)))]
    specimen = studio.specimen(int(rng.integers(100_000)))
    low, high = studio.reaction.limits
    usual = float(rng.uniform(*studio.reaction.label.range))
    # A tenth of the wells hold no analyte at all, half of the others the reaction's usual range.
    value = float(rng.choice([low, usual, low + (high - low) * rng.random() ** 3], p=[0.1, 0.45, 0.45]))
    x, y, radius = circle if kind == "well" else (-5000.0, 0.0, 100.0)
    geometry = replace(
        specimen.geometry,
        center_x=(x - SCENE.left) / SCENE.size,
        center_y=y / SCENE.size,
        radius=radius / SCENE.size,
    )
    texture, session = plate_texture(rng, SCENE), specimen.session
    if kind == "reference":
        raw = expose_reference(session, specimen.geometry, SCENE, texture)
    else:
        profile = liquid_profile(studio.reaction, value, session, geometry)
        raw = expose_well(profile, session, geometry, SCENE, texture)
    return develop(digitise(mean_electrons(raw), rng), Development.of(session))


def draw_circle(rng: np.random.Generator, radius: float, tolerance: float) -> tuple[float, float, float]:
    """Draw x, y and radius, pixels, within the tolerance; the well with its wall lies in the frame."""
    while True:
        size = radius * (1 + min(tolerance, 0.5) * rng.uniform(-0.98, 0.98))
        turn, far = rng.uniform(0, 2 * math.pi), 0.98 * tolerance * radius * math.sqrt(rng.random())
        x, y = CENTRE[0] + far * math.cos(turn), CENTRE[1] + far * math.sin(turn)
        if RIM_RADII * size < min(x, y, WIDTH - x, HEIGHT - y):
            return x, y, size


def texture(rng: np.random.Generator, kind: str) -> UInt8Array:
    """Draw noise, clouds or shapes with straight edges, uint8 ``[480, 640, 3]``."""
    if kind == "noise":
        return rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    if kind == "clouds":
        cells = int(rng.integers(4, 60))
        coarse = rng.integers(0, 256, (cells * 3, cells * 4, 3), np.uint8)
        return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
    picture = np.full((HEIGHT, WIDTH, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(int(rng.integers(1, 25))):
        colour = [int(v) for v in rng.integers(0, 256, 3)]
        corners = rng.integers(0, [WIDTH, HEIGHT], (int(rng.integers(3, 6)), 2)).astype(np.int32)
        if rng.random() < 0.6:
            cv2.fillPoly(picture, [corners], colour, cv2.LINE_AA)
        else:
            at = (int(corners[0, 0]), int(corners[0, 1]))
            cv2.putText(
                picture, "Well 08", at, cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.5, 6)), colour, 4
            )
    return picture


def photographs(folder: Path, rng: np.random.Generator, count: int) -> Iterator[UInt8Array]:
    """Yield ``count`` 640x480 cuts at random place and scale of a folder's photographs and video
    frames."""
    pictures: list[Callable[[], UInt8Array | None]] = [
        lambda path=path: cv2.imread(str(path), cv2.IMREAD_COLOR)  # type: ignore[misc]
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in {".png", ".jpg", ".jpeg"}
    ]
    for path in sorted(folder.glob("*.mp4")):
        video = cv2.VideoCapture(str(path))
        frames = [video.read()[1] for _ in range(int(video.get(cv2.CAP_PROP_FRAME_COUNT)) - 1)]
        pictures += [lambda frame=frame: frame for frame in frames[::2]]  # type: ignore[misc]
    for number in rng.permutation(len(pictures)).repeat(math.ceil(count / max(1, len(pictures))))[:count]:
        picture = pictures[number]()
        if picture is None:
            continue
        scale = max(WIDTH / picture.shape[1], HEIGHT / picture.shape[0]) * float(rng.uniform(1.0, 1.6))
        size = (
            max(WIDTH, round(picture.shape[1] * scale)),
            max(HEIGHT, round(picture.shape[0] * scale)),
        )
        large = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        left, top = int(rng.integers(size[0] - WIDTH + 1)), int(rng.integers(size[1] - HEIGHT + 1))
        yield np.ascontiguousarray(large[top : top + HEIGHT, left : left + WIDTH])


def with_wells(
    studios: list[Studio], seed: int, frames: int, radius: float, tolerance: float
) -> dict[str, Any]:
    search = CircleSearch(*CENTRE, radius, tolerance + BEYOND)
    errors, times, missed, moved = [], [], 0, 0
    for number in range(frames):
        rng = np.random.default_rng([seed, number])
        x, y, size = draw_circle(rng, radius, tolerance)
        picture = simulated(studios, rng, "well", (x, y, size))
        begin = time.thread_time()
        found = search.find(picture)
        times.append((time.thread_time() - begin) * 1e3)
        if found is None:
            missed += 1
            continue
        errors.append((math.hypot(found.x - x, found.y - y) / size, abs(found.radius - size) / size))
        moved += max(math.hypot(found.x - CENTRE[0], found.y - CENTRE[1]), abs(found.radius - radius)) > (
            tolerance * radius
        )
    worst = np.array(errors).max(axis=1)
    good = int((worst <= LIMIT).sum())
    return {
        "kind": f"well within {tolerance:g} radii of {radius:g} px",
        "frames": frames,
        "good": good,
        "missed": missed,
        "wrong": len(errors) - good,
        "beyond_tolerance": moved,
        "centre_p50": float(np.median([c for c, _ in errors])),
        "centre_p99": float(np.quantile([c for c, _ in errors], 0.99)),
        "radius_p50": float(np.median([r for _, r in errors])),
        "radius_p99": float(np.quantile([r for _, r in errors], 0.99)),
        "ms_p50": float(np.median(times)),
        "ms_p99": float(np.quantile(times, 0.99)),
    }


def without_wells(kind: str, pictures: Iterator[UInt8Array]) -> dict[str, Any]:
    searches = [CircleSearch(*CENTRE, 110.0, 0.25 + BEYOND), CircleSearch(*CENTRE, 100.0, 1.0 + BEYOND)]
    found, frames, times = [0, 0], 0, []
    for picture in pictures:
        frames += 1
        for number, search in enumerate(searches):
            begin = time.thread_time()
            found[number] += search.find(picture) is not None
            times.append((time.thread_time() - begin) * 1e3)
    return {
        "kind": kind,
        "frames": frames,
        "found": found[0],
        "found_wide": found[1],
        "ms_p50": float(np.median(times)),
        "ms_p99": float(np.quantile(times, 0.99)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    seed, frames = arguments.seed, arguments.frames
    studios = [
        Studio(SimulationConfig(samples=10, seed=seed, reaction=name, sessions=24)) for name in REACTIONS
    ]
    results = [
        with_wells(studios, seed, frames, 110.0, 0.25),
        with_wells(studios, seed, frames, 100.0, 1.0),
    ]
    rng, part = np.random.default_rng(seed), max(1, frames // 4)
    plates = (simulated(studios, rng, "plate", ()) for _ in range(part))
    references = (simulated(studios, rng, "reference", ()) for _ in range(part))
    results += [
        without_wells("plate without a well", plates),
        without_wells("white reference", references),
    ]
    for kind in ("noise", "clouds", "shapes"):
        results.append(without_wells(kind, (texture(rng, kind) for _ in range(part))))
    for name in (*OTHER_PHOTOGRAPHS, *CIRCLES):
        if (arguments.data / name).is_dir():
            # Of pictures with a circle each is taken a few times only.
            count = part if name in OTHER_PHOTOGRAPHS else min(part, 90)
            label = f"photographs: {name}" + (" (with circles)" if name in CIRCLES else "")
            results.append(without_wells(label, photographs(arguments.data / name, rng, count)))
    if arguments.json:
        print(json.dumps({"seed": seed, "results": results}, indent=2))
        return
    for result in results:
        print(", ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
