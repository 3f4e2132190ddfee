"""``analyte data augment``: a picture of what augmentation does to a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.train.augmentation import AUGMENTATIONS

# Everything that reads data is imported when the command runs: help stays instant.
if TYPE_CHECKING:
    from analyte.contract.dataset import Sample

_DOMAINS = [name for name in AUGMENTATIONS if name != "none"]
_SIZE = 64


@click.command("augment")
@click.argument("dataset", type=click.Path(readable=False, path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(readable=False, path_type=Path), help="PNG file to write."
)
@click.option(
    "--augment",
    type=click.Choice(_DOMAINS),
    default="lab",
    show_default=True,
    help="Domain: lab (fixed rig), field (phone in hand).",
)
@click.option(
    "--size",
    type=click.IntRange(8, 1024),
    help=f"Edge of the pictures, px [default: {_SIZE}, or the smallest region].",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides what is drawn."
)
@click.option("--unit", help="Unit of the values, where no dataset.toml states it.")
@click.option("--analyte", help="What is measured, where no dataset.toml states it.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
def command(
    dataset: Path,
    out: Path,
    augment: str,
    size: int | None,
    seed: int,
    unit: str | None,
    analyte: str | None,
    overwrite: bool,
) -> None:
    """Draw a contact sheet of what augmentation does to pictures of DATASET.

    Rows are samples over the range of values; columns are each change alone, at its strongest, and random
    draws of all of them. Where a person cannot read the value any more, a network cannot learn it: choose the
    weaker domain. Samples of the test split are not shown.
    """
    import numpy as np

    from analyte.contract.labels_file import load_dataset
    from analyte.contract.output import check_output
    from analyte.contract.pictures import load_pictures
    from analyte.contract.preprocessing import PreprocessingSpec
    from analyte.train.tensorflow_start import start_tensorflow

    if out.suffix.lower() != ".png":
        raise click.BadParameter(f"{out} does not end in .png", param_hint="--out")
    check_output(out, overwrite=overwrite)
    data = load_dataset(dataset, unit=unit, analyte=analyte)
    start_tensorflow()
    from analyte.train.augmentation.contact_sheet import spread_over, write_contact_sheet

    samples = [sample for sample in data.samples if sample.split != "test"] or list(data.samples)
    values = np.array([sample.value for sample in samples])
    shown = [samples[index] for index in spread_over(values)]
    edge = size or _smallest_side(shown)
    images = load_pictures(shown, PreprocessingSpec(size=edge), where=data.root)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_contact_sheet(
        images,
        np.array([sample.value for sample in shown]),
        data.spec.unit,
        AUGMENTATIONS[augment](data.spec.rotation_invariant),
        out,
        seed,
    )
    click.echo(f"{out}: {augment}, {len(shown)} samples of {data.spec.name} at {edge} px")


def _smallest_side(samples: list[Sample]) -> int:
    """Return the edge that training would take at most, pixels: enlarging adds no information."""
    regions = [view.region for sample in samples for view in sample.views if view.region is not None]
    return max(16, min([_SIZE, *(min(region.w, region.h) for region in regions)]))
