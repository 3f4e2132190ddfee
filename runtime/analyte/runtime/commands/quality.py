"""``analyte quality``: learn what a good photograph is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.runtime.commands.profile_path import PROFILE

if TYPE_CHECKING:
    from analyte.runtime.regions.protocol import RegionFinder


@click.command()
@click.argument("path", metavar="DATASET|FOLDER", type=click.Path(readable=False, path_type=Path))
@click.option("--device", type=PROFILE, help="Find the regions as this profile says.")
@click.option("--region", "regions", multiple=True, help="x,y,w,h or VIEW=x,y,w,h in pixels; repeatable.")
@click.option(
    "--false-alarms",
    default=0.01,
    show_default=True,
    help="Share of good photographs that may be flagged, all figures together; above 0, below 0.5.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(readable=False, path_type=Path),
    help="Write the section into this file.",
)
@click.option("--overwrite", is_flag=True, help="Replace that file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    path: Path,
    device: Path | None,
    regions: tuple[str, ...],
    false_alarms: float,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Learn limits for a profile's [quality] from good photographs: a dataset, or a folder of pictures.

    Give photographs as the device will take them, of every value and in every light that it may meet, at
    least 20. What they cannot tell is left to you: limits of motion and coverage.
    """
    import json

    from analyte.contract.output import check_output
    from analyte.contract.output_file import staged_file
    from analyte.contract.profile import load_profile
    from analyte.runtime.progress import progress
    from analyte.runtime.quality.collecting import collect, find_photographs
    from analyte.runtime.quality.learning import FEWEST, learn
    from analyte.runtime.quality.report import as_record, odd_ones, to_table, to_toml

    if output is not None:
        check_output(output, overwrite=overwrite)
    photographs, views = find_photographs(path)
    labelled = any(photograph.regions for photograph in photographs)
    finder, views = _finder(device, regions, views, labelled=labelled)
    camera = None if device is None else load_profile(device).camera
    with progress("measuring") as on_progress:
        collected = collect(photographs, views, finder, on_progress, camera)
    if len(collected.names) < FEWEST and collected.left_out:
        click.echo(
            f"analyte quality: {len(collected.left_out)} of {len(photographs)} photographs cannot be used; "
            f"the first: {collected.left_out[0]}",
            err=True,
        )
    if len(collected.names) < FEWEST and collected.copies:
        click.echo(
            f"analyte quality: {len(collected.copies)} photographs are copies of others and do not count; "
            f"the first: {collected.copies[0]}",
            err=True,
        )
    learned = learn(collected.figures, false_alarms=false_alarms)
    odd = odd_ones(collected, learned)
    section = to_toml(learned, path.absolute().name, len(odd), false_alarms)
    if output is not None:
        with staged_file(output, overwrite=overwrite) as file:
            file.write(section.encode())
    if as_json:
        record = as_record(collected, learned, odd, false_alarms) | {"toml": section}
        click.echo(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False).encode())
    else:
        click.echo(f"{to_table(collected, learned, odd)}\n\n{section}".rstrip().encode())


def _finder(
    device: Path | None, regions: tuple[str, ...], views: tuple[str, ...] | None, *, labelled: bool
) -> tuple[RegionFinder | None, tuple[str, ...]]:
    """Return what finds the regions, None for those of the labels, and the names of the views.

    ``views``: of the dataset; None for a folder, whose views are those that regions are given of.
    """
    from analyte.contract.errors import SettingsError
    from analyte.contract.profile import load_profile
    from analyte.runtime.regions.boxes import parse_regions
    from analyte.runtime.regions.fixed import FixedRegions
    from analyte.runtime.regions.registry import finder_of

    if device is None and not regions:
        return None, views or ("sample",)
    option = "--region" if regions else "--device"
    if device is not None and regions:
        raise SettingsError("--region and --device exclude each other: the profile has regions of its own")
    if labelled:
        raise SettingsError(f"{option}: the dataset says the regions itself", fix="Leave the option out")
    if device is None:
        named = tuple(name for text in regions if (name := text.rpartition("=")[0]))
        boxes = parse_regions(regions, views or named or ("sample",))
        return FixedRegions(boxes), views or tuple(boxes)
    section = load_profile(device).region
    views = views or tuple(section.boxes) or ("sample",)
    return finder_of(section, views, where=device), views
