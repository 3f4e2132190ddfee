"""How many frames the daemon refuses: of foreign videos, and of good photographs.

    python benchmarks/daemon_refusals.py BUNDLE --good DATASET --foreign clip.mp4 [--artifact NAME] [--json]

Runs ``analyte daemon`` over each source, every frame of a video and every photograph of DATASET's test split,
which training did not see, and counts its readings. The photographs are linked into a folder of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

from analyte.contract.bundle import open_bundle
from analyte.contract.labels_file import load_dataset
from analyte.runtime.tables import format_table

PROVIDER = {"onnx": "cpu", "litert": "xnnpack"}


def refusals(bundle: Path, artifact: str, source: Path, folder: Path) -> Counter[str]:
    """Return readings by reason, ``given`` for those that are not refused."""
    engine = open_bundle(bundle).artifact(artifact).engine
    profile = folder / "device.toml"
    profile.write_text(
        f'[device]\nid = "benchmark"\n[engine]\nname = "{engine}"\nprovider = "{PROVIDER[engine]}"\n'
        f'artifacts = ["{artifact}"]\n'
    )
    command = [
        sys.executable,
        "-m",
        "analyte.cli",
        "daemon",
        "--device",
        str(profile),
        "--bundle",
        str(bundle),
    ]
    command += ["--source", str(source), "--store", str(folder / f"{source.name}.sqlite")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    readings = [json.loads(line) for line in run.stdout.splitlines()]
    return Counter(reading["reason"] or "given" for reading in readings)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--good", required=True, type=click.Path(exists=True, path_type=Path), help="A dataset.")
@click.option("--foreign", "videos", multiple=True, type=click.Path(exists=True, path_type=Path))
@click.option("--artifact", default="tflite-int8", show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(bundle: Path, good: Path, videos: tuple[Path, ...], artifact: str, as_json: bool) -> None:
    """Count what the daemon refuses."""
    bundle, found = bundle.absolute(), dict[str, Counter[str]]()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        frames = folder / "good"
        frames.mkdir()
        tested = [sample for sample in load_dataset(good).samples if sample.split == "test"]
        for number, sample in enumerate(tested):
            (path,) = (view.path for view in sample.views)
            (frames / f"{number}{path.suffix}").symlink_to(path.absolute())
        found["good: test split"] = refusals(bundle, artifact, frames, folder)
        for video in videos:
            found[f"foreign: {video.name}"] = refusals(bundle, artifact, video.absolute(), folder)
    if as_json:
        print(json.dumps({name: dict(counted) for name, counted in found.items()}))
        return
    rows = []
    for name, counted in found.items():
        n, given = counted.total(), counted["given"]
        reasons = ", ".join(
            f"{reason} {count}" for reason, count in counted.most_common() if reason != "given"
        )
        rows.append((name, str(n), f"{100 * (n - given) / n:.1f} %", reasons))
    print(format_table(("source", "frames", "refused", "by reason"), rows, right=frozenset({1, 2})))


if __name__ == "__main__":
    main()
