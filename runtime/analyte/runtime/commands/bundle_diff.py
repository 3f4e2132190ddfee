"""``analyte bundle diff``: what an upgrade from one bundle to another would change."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from analyte.contract.bundle import Bundle
    from analyte.runtime.comparison import Side


@click.command("diff")
@click.argument("a", type=click.Path(readable=False, path_type=Path))
@click.argument("b", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--dataset",
    required=True,
    type=click.Path(readable=False, path_type=Path),
    help="Samples to measure with both.",
)
@click.option("--unit", help="Unit of the values, where no dataset.toml states it.")
@click.option(
    "--artifact", "name", help="Artifact of both; else the first of each whose engine is installed."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every sample.")
def command(a: Path, b: Path, dataset: Path, unit: str | None, name: str | None, as_json: bool) -> None:
    """Compare bundles before B takes A's place: what they state, and what they say about DATASET.

    Measures as a device does, every sample of the dataset; errors against the labels count only samples
    that neither was trained on. Bundles of other units or views are refused.

    \b
    --json prints {"a", "b", "unit", "manifest": [{"name", "a", "b"}], "n", "measured", "difference":
    {"bias", "mean", "p99", "max"}, "mae": {"n", "a", "b"}, "refused": {"a_only", "b_only", "both"},
    "apart", "samples": [{"id", "label", "a", "b", "difference", "a_reason", "b_reason", "apart",
    "seen"}]}; null where nothing could be measured.
    """
    from analyte.contract.labels_file import load_dataset
    from analyte.runtime.comparison import check_comparable, compare
    from analyte.runtime.comparison_text import comparison_json, describe_comparison
    from analyte.runtime.trust import open_for_use

    bundles = open_for_use(a), open_for_use(b)
    data = load_dataset(dataset, unit=unit)
    check_comparable(*bundles, data)
    with _opened(bundles[0], name) as first, _opened(bundles[1], name) as second:
        with _progress(len(data.samples)) as advance:
            found = compare(first, second, data, advance)
        if as_json:
            text = json.dumps(
                comparison_json(first, second, found), indent=2, ensure_ascii=False, allow_nan=False
            )
        else:
            text = describe_comparison(first, second, found)
    click.echo(text.encode())


@contextmanager
def _opened(bundle: Bundle, name: str | None) -> Iterator[Side]:
    """Open one side and check it against its golden set, as `analyte read` does."""
    from analyte.runtime.comparison import Side
    from analyte.runtime.engines.registry import open_engine
    from analyte.runtime.selection import first_installed_artifact
    from analyte.runtime.selftest import quick_check

    artifact = bundle.artifact(name) if name else first_installed_artifact(bundle)
    engine = open_engine(bundle.read(artifact), artifact.engine, where=bundle.path / artifact.file)
    try:
        quick_check(bundle, artifact, engine)
        yield Side(bundle, artifact, engine)
    finally:
        engine.close()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], object]]:
    """Give what to call with the number of samples just done; draws a bar where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    with click.progressbar(length=total, label="compare", file=sys.stderr) as bar:
        yield bar.update
