"""How a camera's faults end: in a refusal, in no false frame, and when frames come again.

    python benchmarks/camera_faults.py [--cycles 100] [--rtsp] [--json]

A real camera on the loopback (the tests' servers: HTTP, or RTSP with Debian's gst-rtsp-server), opened as the
daemon opens it, fails in turns: the connection ends, stalls, repeats one frame for ever, or (HTTP) sends what
is no picture. Each fault lasts 0.7 s, or until it is noticed. The stall time is 0.5 s; for RTSP, whose
beginning takes a second, 2 s.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np

from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.protocol import BadFrame, Frame, FrameSource
from analyte.runtime.sources.registry import open_source

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from runtime.sources.mjpeg_server import mjpeg_camera
from runtime.sources.rtsp_server import rtsp_camera

HTTP_FAULTS = ("ended", "frozen", "still", "garbage")
RTSP_FAULTS = ("ended", "frozen", "still")
LENGTH_S = 0.7


def frame_within(camera: FrameSource, seconds: float) -> Frame | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = camera.read(0.05)
        if isinstance(found, Frame):
            return found
    return None


def cycle(camera: FrameSource, fault: object) -> dict[str, float]:
    """Return refusals, frames that the fault made false, and seconds to the first frame after its end."""
    start = time.monotonic()
    fault.set()  # type: ignore[attr-defined]
    refusals = false = 0
    end = start + LENGTH_S
    while time.monotonic() < end or (refusals == 0 and time.monotonic() < start + 5.0):
        found = camera.read(0.05)
        refusals += isinstance(found, BadFrame)
        # What was on its way when the fault began is a good frame.
        false += isinstance(found, Frame) and found.monotonic_s > start + 0.1
    fault.clear()  # type: ignore[attr-defined]
    back = time.monotonic()
    good = frame_within(camera, 20.0)
    stale = good is not None and good.monotonic_s < back
    return {
        "refusals": refusals,
        "false": false + stale,
        "recovery_s": float("inf") if good is None else time.monotonic() - back,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Faults of a camera, over and over.")
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--rtsp", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    faults = RTSP_FAULTS if options.rtsp else HTTP_FAULTS
    found: dict[str, list[dict[str, float]]] = {name: [] for name in faults}
    with (rtsp_camera if options.rtsp else mjpeg_camera)(640, 480, fps=20.0) as server:
        address = server.address if options.rtsp else f"http://{server.address}/"
        stall_s = 2.0 if options.rtsp else 0.5
        camera = open_source(address, CameraSection(stall_s=stall_s, reopen_attempts=100))
        if frame_within(camera, 20.0) is None:
            sys.exit("the camera gives no frame")
        for name in itertools.islice(itertools.cycle(faults), options.cycles):
            found[name].append(cycle(camera, getattr(server, name)))
        camera.close()
    if options.json:
        print(json.dumps(found))
        return
    print("fault      cycles  refused  false frames  recovery p50, s  max, s")
    for name, cycles in found.items():
        times = [one["recovery_s"] for one in cycles]
        print(
            f"{name:10s} {len(cycles):6d}  {sum(one['refusals'] > 0 for one in cycles):7d}  "
            f"{sum(one['false'] for one in cycles):12.0f}  {np.median(times):15.2f}  {max(times):6.2f}"
        )


if __name__ == "__main__":
    main()
