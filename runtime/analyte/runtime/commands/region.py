"""``analyte region``: where in a photograph a profile measures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyte.runtime.commands.profile_path import PROFILE

if TYPE_CHECKING:
    from analyte.runtime.regions.overlay import Found


@click.group()
def command() -> None:
    """Look where a profile measures, before anything is measured."""


@command.command()
@click.argument(
    "images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path)
)
@click.option("--device", required=True, type=PROFILE, help="Profile with [region].")
@click.option(
    "--bundle",
    type=click.Path(readable=False, path_type=Path),
    help="Bundle whose views the profile must show; else those that it names.",
)
@click.option(
    "--picture", type=click.Path(readable=False, path_type=Path), help="PNG to draw what was found into."
)
@click.option("--overwrite", is_flag=True, help="Replace the picture.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def find(
    images: tuple[Path, ...],
    device: Path,
    bundle: Path | None,
    picture: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Find the regions of a profile in IMAGEs (files, or folders of them), as the daemon does in frames.

    Goes on after a picture that cannot be read. Exit code 3 at the end where one cannot, or a region is not
    found, has moved, or leaves the picture. PNG: what is expected and how far it may be off in yellow, what
    was found in green, what is wrong in red.
    """
    import json

    from analyte.contract.errors import ImageError, SettingsError
    from analyte.contract.output import check_output
    from analyte.contract.profile import load_profile
    from analyte.runtime.progress import progress
    from analyte.runtime.reader import expand
    from analyte.runtime.regions.overlay import MOST_PICTURES, find_in, write_overlay
    from analyte.runtime.regions.registry import finder_of
    from analyte.runtime.trust import open_for_use

    files = expand(images)
    if picture is not None:
        if picture.resolve() in {file.resolve() for file in files}:
            raise SettingsError("--picture: is one of the photographs", got=picture)
        if picture.suffix.lower() != ".png":
            raise SettingsError(
                "--picture: not a kind of picture that is drawn", expected=".png", got=picture
            )
        check_output(picture, overwrite=overwrite)
    profile = load_profile(device)
    views = tuple(profile.region.boxes) or ("sample",)
    if bundle is not None:
        views = open_for_use(bundle, profile, where=device).manifest.views
    finder = finder_of(profile.region, views, where=device)
    found: list[Found] = []
    with progress("looking") as on_progress:
        for file in files:
            found.append(find_in(finder, file, profile.region, profile.camera))
            on_progress(1 / len(files))
    click.echo(json.dumps([_as_json(one) for one in found], indent=2) if as_json else _table(found))
    if picture is not None and any(one.pixels is not None for one in found):
        write_overlay(found, profile.region, picture, overwrite=overwrite)
        if len(found) > MOST_PICTURES:
            click.echo(f"analyte region: {picture} shows the first {MOST_PICTURES}", err=True)
    bad = sum(one.detail != "" for one in found)
    if bad:
        raise ImageError(f"regions are not found in {bad} of {len(found)} pictures")


def _as_json(found: Found) -> dict[str, Any]:
    return {
        "image": found.name,
        "reason": found.reason,
        "detail": found.detail,
        "sites": [
            {
                "site": site.name,
                "coverage": site.coverage,
                "regions": {view: [box.x, box.y, box.w, box.h] for view, box in site.boxes.items()},
            }
            for site in found.sites
        ],
    }


def _table(found: Sequence[Found]) -> str:
    from analyte.runtime.tables import format_table

    rows: list[tuple[str, ...]] = []
    for one in found:
        if one.detail:
            rows.append((one.name, "", "", one.reason, "", one.detail))
        for site in one.sites:
            rows += [
                (one.name, site.name, view, str(box), f"{100 * site.coverage:.0f} %", "")
                for view, box in site.boxes.items()
            ] or [(one.name, site.name, "all", "whole picture", "100 %", "")]
    return format_table(("image", "well", "view", "x,y,w,h", "in it", ""), rows)
