"""Whether the daemon grows or slows down: many frames at full speed.

    python benchmarks/soak.py BUNDLE [--frames 200000] [--json OUT]

A real daemon measures a simulated camera (``sim:``) that gives frames faster than it can take them, and
stores and prints every reading. Every 2000 readings its resident memory and open file handles are read from
/proc. Prints the slope of the memory over the second half (a least-squares line, MB per 100,000 frames: the
first half fills caches), file handles at the first and the last look, and the 99th percentile of the
readings' own latency over the first and the last tenth.

Targets: under 1 MB per 100,000 frames, no growth of handles, no slower 99th percentile at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from analyte.contract.bundle import open_bundle
from analyte.runtime.selection import first_installed_artifact

LOOK_EVERY = 2000
WIDTH, HEIGHT = 640, 480
PROVIDERS = {"litert": "xnnpack", "onnx": "cpu"}


def write_camera(bundle: Path, folder: Path) -> Path:
    """Write pictures that the bundle measures, and the profile of a camera that shows them."""
    opened = open_bundle(bundle)
    golden = opened.golden_set().images
    pictures = folder / "pictures"
    pictures.mkdir()
    for number, views in enumerate(golden[:8]):
        frame = np.full((HEIGHT, WIDTH, 3), 210, np.uint8)
        frame[40:440, 120:520] = cv2.resize(views[0][..., ::-1], (400, 400), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(pictures / f"{number}.png"), frame)
    artifact = first_installed_artifact(opened)
    (view,) = opened.manifest.views
    profile = folder / "profile.toml"
    profile.write_text(
        f'[device]\nid = "soak"\n[camera]\nsource = "sim:{pictures}"\n'
        "[camera.simulated]\nfps = 1000\npicture_s = 0.5\n"
        f"[region.boxes]\n{view} = {{ x = 120, y = 40, w = 400, h = 400 }}\n"
        f'[engine]\nname = "{artifact.engine}"\nprovider = "{PROVIDERS[artifact.engine]}"\n'
        f'artifacts = ["{artifact.name}"]\n',
        "utf-8",
    )
    return profile


def memory_mb(pid: int) -> float:
    """Return the resident set size, 10^6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)


def readings_of(daemon: subprocess.Popen[bytes], count: int) -> Iterator[dict[str, object]]:
    assert daemon.stdout is not None
    with tqdm(total=count, unit="frame", disable=not sys.stderr.isatty()) as bar:
        for line in daemon.stdout:
            bar.update()
            yield json.loads(line)


def run(bundle: Path, frames: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = write_camera(bundle, folder)
        command = [sys.executable, "-m", "analyte.cli", "daemon", "--device", str(profile)]
        command += ["--bundle", str(bundle.resolve()), "--max-readings", str(frames)]
        start = time.monotonic()
        daemon = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder)
        latencies, looks, refused = [], [], 0
        for number, reading in enumerate(readings_of(daemon, frames)):
            latency = reading["latency_ms"]
            assert isinstance(latency, dict)
            latencies.append(latency["total"])
            refused += reading["refused"] is True
            if number % LOOK_EVERY == LOOK_EVERY - 1 and number < frames - LOOK_EVERY:
                handles = len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))
                looks.append((number + 1, memory_mb(daemon.pid), handles))
        if daemon.wait() != 0 or len(latencies) != frames:
            sys.exit(f"the daemon ended with exit code {daemon.returncode} after {len(latencies)} readings")
    late = looks[len(looks) // 2 :]
    slope = np.polyfit([look[0] for look in late], [look[1] for look in late], 1)[0]
    tenth = frames // 10
    return {
        "frames": frames,
        "refused": refused,
        "seconds": round(time.monotonic() - start, 1),
        "rss_first_mb": round(looks[0][1], 1),
        "rss_last_mb": round(looks[-1][1], 1),
        "rss_slope_mb_per_100000": round(1e5 * float(slope), 3),
        "handles_first": looks[0][2],
        "handles_last": looks[-1][2],
        "p99_first_tenth_ms": round(float(np.percentile(latencies[:tenth], 99)), 3),
        "p99_last_tenth_ms": round(float(np.percentile(latencies[-tenth:], 99)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Whether the daemon grows or slows down.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--json", type=Path, help="Append the result to this file.")
    options = parser.parse_args()
    result = run(options.bundle, options.frames)
    print("\n".join(f"{name:26s}{value}" for name, value in result.items()))
    if options.json:
        with options.json.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
