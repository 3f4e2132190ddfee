"""What a device pays: start to first reading, memory of the daemon, size of an install.

    python benchmarks/footprint.py BUNDLE [--runs 10] [--install] [--json OUT.jsonl]

The daemon is measured as in benchmarks/daemon_start.py, once per engine, on the bundle's first artifact of
that engine that passed its gate: seconds from starting the process to the first line on its stdout over
640x480 pictures, the processor time of the whole run over 20 of them (of use where the machine does other
work as well), and the highest resident set size of the process, 10^6 bytes. ``--install`` builds the wheel,
installs it with the extra ``litert`` and with ``cpu`` into fresh environments, and counts the bytes of the
files in site-packages, without pip and the compiled ``.pyc`` that pip writes; then the same for the wheels of
aarch64 (Raspberry Pi, Jetson, Coral), unpacked and not run. It needs a package index.

Targets: 1.0 s, 110 MB with LiteRT, 250 MB per install.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from daemon_start import one_run, write_pictures

from analyte.contract.bundle import open_bundle

ROOT = Path(__file__).parents[1]
PROVIDERS = {"litert": "xnnpack", "onnx": "cpu"}
EXTRAS = ("litert", "cpu")
KIB = 1024.0
WIDTH, HEIGHT = 640, 480


def profile_for(bundle: Path, engine: str, path: Path) -> Path | None:
    """Write a profile for the first sound artifact of an engine; None where the bundle has none."""
    opened = open_bundle(bundle)
    sound = [a.name for a in opened.manifest.artifacts if a.engine == engine and not a.degraded]
    if not sound:
        return None
    views = opened.manifest.views
    width = WIDTH // len(views)
    boxes = [
        f'"{view}" = {{ x = {i * width}, y = 0, w = {width}, h = {HEIGHT} }}' for i, view in enumerate(views)
    ]
    lines = ["[device]", 'id = "benchmark"', "[region.boxes]", *boxes, "[engine]", f'name = "{engine}"']
    lines += [f'provider = "{PROVIDERS[engine]}"', f'artifacts = ["{sound[0]}"]']
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def daemon_row(bundle: Path, engine: str, runs: int) -> dict[str, object] | None:
    """Run the daemon ``runs`` times, after one run that warms the file caches."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "pictures")
        profile = profile_for(bundle, engine, folder / f"{engine}.toml")
        if profile is None:
            return None
        found, cpu_s = [], []
        for number in range(runs + 1):
            before_s = children_cpu_s()
            found.append(one_run(bundle, profile, folder / "pictures", folder / f"{number}.sqlite"))
            cpu_s.append(children_cpu_s() - before_s)
    seconds = sorted(run[0] for run in found[1:])
    return {
        "what": "daemon",
        "engine": engine,
        "runs": runs,
        "first_reading_p50_s": round(statistics.median(seconds), 3),
        "first_reading_max_s": round(seconds[-1], 3),
        "cpu_p50_s": round(statistics.median(cpu_s[1:]), 3),
        "rss_max_mb": round(max(run[1] for run in found) * KIB * KIB / 1e6, 1),
    }


def children_cpu_s() -> float:
    """Return the processor time of all children that ended, seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def install_row(extra: str) -> dict[str, object]:
    """Install the wheel with an extra into a fresh environment and weigh it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quiet = ["-q", "--disable-pip-version-check"]
        pip = [sys.executable, "-m", "pip"]
        subprocess.run([*pip, "wheel", *quiet, "--no-deps", "-w", str(folder), str(ROOT)], check=True)
        wheel = next(folder.glob("analyte-*.whl"))
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
        python = folder / "venv" / "bin" / "python"
        target = [*pip, "--python", str(python), "install", *quiet, "--no-compile"]
        subprocess.run([*target, f"{wheel}[{extra}]"], check=True)
        profiles = subprocess.run(
            [folder / "venv" / "bin" / "analyte", "device", "list", "--json"],
            cwd=folder,
            env={"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=True,
        )
        found = weighed(next((folder / "venv" / "lib").glob("python*/site-packages")))
    return found | {
        "extra": extra,
        "machine": platform.machine(),
        "profiles": len(json.loads(profiles.stdout)),
    }


def foreign_install_row(extra: str, machine: str) -> dict[str, object]:
    """Unpack what a machine of another kind would install, and weigh it; nothing of it is run here."""
    # Oldest C libraries that wheels ask for; Debian 12 and Raspberry Pi OS 12 have 2.36.
    tags = [f"manylinux{tag}_{machine}" for tag in ("2014", "_2_17", "_2_27", "_2_28", "_2_31", "_2_34")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pip, quiet = [sys.executable, "-m", "pip"], ["-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "wheel", *quiet, "--no-deps", "-w", str(folder), str(ROOT)], check=True)
        wheel = next(folder.glob("analyte-*.whl"))
        words = [
            *pip,
            "install",
            *quiet,
            "--no-compile",
            "--only-binary=:all:",
            "--target",
            str(folder / "t"),
        ]
        words += [word for tag in tags for word in ("--platform", tag)]
        subprocess.run([*words, f"{wheel}[{extra}]"], check=True)
        return weighed(folder / "t") | {"extra": extra, "machine": machine}


def weighed(site_packages: Path) -> dict[str, object]:
    """Return the size of an install and of its largest packages, 10^6 bytes."""
    sizes = {
        entry.name: sum(file.stat().st_size for file in entry.rglob("*") if file.is_file())
        for entry in site_packages.iterdir()
        if entry.is_dir() and entry.name != "__pycache__"
    }
    largest = sorted(sizes.items(), key=lambda pair: -pair[1])[:6]
    return {
        "what": "install",
        "mb": round(sum(sizes.values()) / 1e6, 1),
        "largest_mb": {name: round(size / 1e6, 1) for name, size in largest},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--json", type=Path, help="append the rows to this file")
    options = parser.parse_args()
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": platform.machine()}
    rows: list[dict[str, object]] = []
    for engine in PROVIDERS:
        row = daemon_row(options.bundle.resolve(), engine, options.runs)
        rows += [] if row is None else [about | row]
    if options.install:
        rows += [about | install_row(extra) for extra in EXTRAS]
        rows += [about | foreign_install_row(extra, "aarch64") for extra in EXTRAS]
    for row in rows:
        print(json.dumps(row))
    if options.json is not None:
        with options.json.open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(row)}\n" for row in rows)


if __name__ == "__main__":
    main()
