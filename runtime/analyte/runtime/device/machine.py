"""Memory, processors and disk, against what a profile needs of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from analyte.contract.errors import OutputError
from analyte.contract.profile import DeviceProfile, StorageSection
from analyte.runtime.device.finding import Finding, missing, ok, warning
from analyte.runtime.sources.names import display_name

MEMORY = Path("/proc/meminfo")
DAEMON_MB = 150.0
"""What a daemon needs, 10^6 bytes: benchmarks/footprint.py finds 111 to 129 on x86, and the page cache of a
store wants room. An accelerator's own libraries come on top; nobody here measured them."""
LEAST_FREE_MB = 50.0
"""Below it a store cannot grow and the next write ahead of the log may fail, 10^6 bytes."""
SHORT_FREE_MB = 1000.0
"""Below it somebody should know: some 500,000 readings, 10^6 bytes."""


def check_memory() -> Finding:
    """Compare the memory that is available with what a daemon needs."""
    available_mb = _available_mb()
    if available_mb is None:
        return warning("memory", "cannot be asked here", None)
    said = f"{available_mb:.0f} MB available, a daemon needs about {DAEMON_MB:.0f}"
    if available_mb < DAEMON_MB:
        return missing("memory", said, "Stop other programs (top -o %MEM), or add swap", OutputError)
    return ok("memory", said)


def check_threads(profile: DeviceProfile) -> Finding:
    """Compare ``engine.threads`` with the processors that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = profile.engine.threads
    said = f"{threads} for the engine, {cores} processors"
    if threads > cores:
        return warning("threads", said, f"Set engine.threads to {cores} or less, or run analyte device tune")
    return ok("threads", said)


def check_storage(storage: StorageSection) -> list[Finding]:
    """Check that store and refused frames can be written and have room."""
    found = [_check_place("store", storage.path.parent, storage.path, 0.0)]
    if storage.refused_frames is not None:
        folder = storage.refused_frames
        found.append(_check_place("refused frames", folder, folder, storage.refused_frames_mb))
    return found


def _check_place(check: str, folder: Path, target: Path, wanted_mb: float) -> Finding:
    shown = display_name(target.absolute())
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        return missing(check, f"{display_name(there)} is no folder", "Name another place", OutputError)
    if not os.access(there, os.W_OK | os.X_OK) or (target.exists() and not os.access(target, os.W_OK)):
        fix = f"sudo chown -R $USER {display_name(target if target.exists() else there)}"
        return missing(check, f"{shown} cannot be written by this user", fix, OutputError)
    free_mb = shutil.disk_usage(there).free / 1e6
    said = f"{shown}, {free_mb:.0f} MB free"
    fix = f"Free room or name another place (df -h {display_name(there)})"
    if free_mb < LEAST_FREE_MB:
        return missing(check, f"{said}, at least {LEAST_FREE_MB:.0f} are needed", fix, OutputError)
    if free_mb < SHORT_FREE_MB + wanted_mb:
        return warning(check, f"{said}, fewer than {SHORT_FREE_MB + wanted_mb:.0f}", fix)
    return ok(check, said)


def _available_mb() -> float | None:
    try:
        lines = MEMORY.read_text("ascii", "replace").splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return int(kilobytes) * 1024 / 1e6
    except (OSError, StopIteration, ValueError, IndexError):
        return None
