"""How long the daemon takes to its first reading, and what memory it holds.

    python benchmarks/daemon_start.py BUNDLE [--device PROFILE] [--runs 10] [--json]

Starts ``analyte daemon`` over 20 random 640x480 pictures, N times, each in a fresh process with a new store,
its bytecode written as pip does, and takes the time from starting the process to the first line on its
stdout. Memory is the highest resident set size of the process. The first run, with cold file caches, is
reported apart. Bundles with several views get equal regions side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.bundle import open_bundle
from analyte.runtime.selection import first_installed_artifact

WIDTH, HEIGHT = 640, 480
PICTURES = 20


def write_pictures(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        coarse = rng.integers(0, 255, (12, 16, 3), np.uint8)
        picture = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(folder / f"{number}.png"), picture)


def default_profile(bundle: Path, path: Path) -> Path:
    """Write a profile for the first artifact of the bundle whose engine is installed."""
    opened = open_bundle(bundle)
    artifact = first_installed_artifact(opened)
    provider = {"onnx": "cpu", "litert": "xnnpack"}[artifact.engine]
    views = opened.manifest.views
    width = WIDTH // len(views)
    regions = [
        f'"{view}" = {{ x = {index * width}, y = 0, w = {width}, h = {HEIGHT} }}'
        for index, view in enumerate(views)
    ]
    lines = ["[device]", 'id = "benchmark"', "[region.boxes]", *regions, "[engine]"]
    lines += [f'name = "{artifact.engine}"', f'provider = "{provider}"', f'artifacts = ["{artifact.name}"]']
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def one_run(bundle: Path, profile: Path, pictures: Path, store: Path) -> tuple[float, float, list[float]]:
    """Return seconds to the first reading, highest RSS in MB, and the total latency of each reading, ms."""
    command = [sys.executable, "-m", "analyte.cli", "daemon", "--device", str(profile)]
    command += ["--bundle", str(bundle), "--source", str(pictures), "--store", str(store)]
    # An environment that forbids bytecode would have every module compiled anew at every start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=store.parent, env=environment)
    assert daemon.stdout is not None
    lines = [daemon.stdout.readline()]
    seconds = time.perf_counter() - start
    lines += daemon.stdout.readlines()
    # wait4 and not Popen.wait: it alone gives the memory of this one child.
    _, status, usage = os.wait4(daemon.pid, 0)
    daemon.returncode = os.waitstatus_to_exitcode(status)
    daemon.stdout.close()
    if daemon.returncode != 0 or not lines[0]:
        sys.exit(f"the daemon ended with exit code {daemon.returncode}")
    latencies = [json.loads(line)["latency_ms"]["total"] for line in lines]
    return seconds, usage.ru_maxrss / 1024.0, latencies


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--device", type=Path, help="profile; else one is made for the first artifact")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "pictures")
        profile = options.device or default_profile(options.bundle, folder / "profile.toml")
        bundle, profile = options.bundle.resolve(), profile.resolve()
        runs = [
            one_run(bundle, profile, folder / "pictures", folder / f"{number}.sqlite")
            for number in range(options.runs + 1)
        ]
    warm = sorted(seconds for seconds, _, _ in runs[1:])
    result = {
        "runs": options.runs,
        "first_run_s": round(runs[0][0], 3),
        "first_reading_p50_s": round(statistics.median(warm), 3),
        "first_reading_max_s": round(warm[-1], 3),
        "rss_max_mb": round(max(megabytes for _, megabytes, _ in runs), 1),
        "reading_p50_ms": round(statistics.median(ms for _, _, all_ms in runs[1:] for ms in all_ms), 3),
    }
    print(json.dumps(result) if options.json else "\n".join(f"{k:20} {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
