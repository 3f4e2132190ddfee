"""``analyte colour correct``: a dataset as a device with this profile would see it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.runtime.commands.profile_path import PROFILE

if TYPE_CHECKING:
    from analyte.contract.profile import DeviceProfile

_SHOWN = 20


@click.command("correct")
@click.argument("dataset", type=click.Path(readable=False, path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(readable=False, path_type=Path), help="Folder.")
@click.option("--device", required=True, type=PROFILE, help="Correct as the [colour] of this profile says.")
@click.option("--overwrite", is_flag=True, help="Replace the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(dataset: Path, out: Path, device: Path, overwrite: bool, as_json: bool) -> None:
    """Correct the pictures of DATASET as a device with the profile corrects its frames, for training.

    A network that is trained on OUT fits a profile with trained_alike = true. Pictures must be whole frames
    of the device. A sample with a picture that cannot be corrected is left out and listed; the exit code is
    then 3.
    """
    import hashlib

    from analyte.contract.errors import ImageError, OutputError, ProfileError
    from analyte.contract.profile import load_profile
    from analyte.runtime.colour.datasets import correct_dataset
    from analyte.runtime.colour.registry import corrector_of
    from analyte.runtime.progress import progress

    profile = load_profile(device)
    if profile.colour.calibration is None:
        raise ProfileError("colour.calibration: is not set, so nothing is corrected", where=device)
    root = dataset if dataset.is_dir() else dataset.parent
    if root.resolve().is_relative_to(out.resolve()):
        raise OutputError("is the dataset itself, or holds it", where=out, fix="Choose another name")
    _refuse_rectified_white(profile, device)
    # What the demand is about is what is being made here.
    section = profile.colour.model_copy(update={"trained_alike": True})
    folder, rectified = device.absolute().parent, profile.region.markers is not None
    corrector = corrector_of(section, folder=folder, where=device, rectified=rectified)
    assert corrector is not None
    digest = hashlib.sha256((folder / profile.colour.calibration).read_bytes()).hexdigest()
    with progress("correcting") as on_progress:
        made = correct_dataset(
            dataset,
            out,
            corrector,
            note=f"calibration sha256 {digest}",
            size=_size(profile, folder / profile.colour.calibration),
            overwrite=overwrite,
            on_progress=on_progress,
        )
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(made) | {"calibration_sha256": digest}, indent=2))
    else:
        click.echo(f"{out}: {made.samples} samples, {made.pictures} pictures, corrected by {made.method}")
    for name, why in list(made.refused.items())[:_SHOWN]:
        click.echo(f"analyte colour: {name}: {why}", err=True)
    if made.refused:
        raise ImageError(
            f"{len(made.refused)} of {len(made.refused) + made.pictures} pictures could not be corrected; "
            f"{made.dropped} samples are left out",
            where=dataset,
        )


def _refuse_rectified_white(profile: DeviceProfile, where: Path) -> None:
    from analyte.contract.errors import ProfileError

    if profile.region.markers is not None and profile.colour.white is not None:
        raise ProfileError(
            "colour.white: its pixels are those of the rectified picture, and pictures are corrected as they "
            "were taken",
            where=where,
            fix="Use a chart without a white patch, or leave [region.markers] out",
        )


def _size(profile: DeviceProfile, calibration: Path) -> tuple[int, int] | None:
    """Return the size that frames have, pixels, where a place in them counts."""
    from analyte.contract.colour_calibration import load_calibration

    if profile.colour.white is None:
        return None
    camera = profile.camera
    if camera.width is not None and camera.height is not None:
        return camera.width, camera.height
    return load_calibration(calibration)[0].frame
