"""``analyte recipes``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from analyte.contract.tables import format_table
from analyte.train.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from analyte.train.recipes.recipe import Recipe


@click.command("recipes")
@click.argument("name", required=False)
@click.option(
    "--size",
    type=click.IntRange(1, 1024),
    default=64,
    show_default=True,
    help="Edge of the network's picture, px.",
)
@click.option(
    "--views", type=click.IntRange(1, 64), default=1, show_default=True, help="Pictures of one sample."
)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def command(name: str | None, size: int, views: int, as_json: bool) -> None:
    """List the network recipes with what they cost, or show all about the recipe NAME.

    Parameters are the weights of the saved model; MACs are the multiply-accumulates of one sample, all
    views together. Both hold for the recipe's own head and colours.
    """
    start_tensorflow()
    from analyte.train.recipes.registry import RECIPES

    if name is not None and name not in RECIPES:
        raise click.BadParameter(f"{name!r} is none of {', '.join(RECIPES)}", param_hint="NAME")
    chosen = list(RECIPES.values()) if name is None else [RECIPES[name]]
    entries = _entries(chosen, size, views)
    if as_json:
        click.echo(json.dumps({"size": size, "views": views, "recipes": entries}, indent=2))
    elif name is None:
        click.echo(_table(entries, size, views))
    else:
        click.echo(_details(entries[0], size, views))


def _entries(recipes: Sequence[Recipe], size: int, views: int) -> list[dict[str, Any]]:
    with tqdm(total=len(recipes), unit="recipe", file=sys.stderr, disable=None, leave=False) as bar:
        entries = []
        for recipe in recipes:
            bar.set_description(recipe.name)
            entries.append(_entry(recipe, size, views))
            bar.update()
    return entries


def _entry(recipe: Recipe, size: int, views: int) -> dict[str, Any]:
    from analyte.train.heads.registry import HEADS
    from analyte.train.recipes.listing import fits, recipe_cost, sizes

    cost = recipe_cost(recipe, size, views) if fits(recipe, size) else None
    return {
        "name": recipe.name,
        "help": recipe.help,
        "invariant": recipe.invariant,
        "pretrained": recipe.pretrained,
        "size_step": recipe.size_step,
        "min_size": recipe.min_size,
        "sizes": sizes(recipe),
        "colour": list(recipe.colour),
        "head": recipe.head,
        "loss": recipe.loss or HEADS[recipe.head].losses[0],
        "hidden": recipe.hidden,
        "learning_rate": recipe.learning_rate,
        "parameters": cost and cost.parameters,
        "macs": cost and cost.macs,
        "features": cost and cost.features,
    }


def _table(entries: Sequence[dict[str, Any]], size: int, views: int) -> str:
    rows = [
        (
            entry["name"],
            "yes" if entry["invariant"] else "no",
            "-" if entry["parameters"] is None else f"{entry['parameters']:,}",
            "-" if entry["macs"] is None else _millions(entry["macs"]),
            f"Needs {entry['sizes']}." if entry["macs"] is None else entry["help"],
        )
        for entry in entries
    ]
    header = ("recipe", "invariant", "parameters", "MACs, million", "")
    return f"{format_table(header, rows, right=frozenset((2, 3)))}\nOne sample: {_sample(size, views)}."


def _details(entry: dict[str, Any], size: int, views: int) -> str:
    rows = [
        ("invariant", "yes, to quarter turns and mirrors" if entry["invariant"] else "no"),
        ("start", "from a file of weights, or at random" if entry["pretrained"] else "at random"),
        ("size", entry["sizes"]),
        ("colour", " + ".join(entry["colour"])),
        ("head", f"{entry['head']}, loss {entry['loss']}"),
        ("hidden layer", f"{entry['hidden']} units" if entry["hidden"] else "none"),
        ("learning rate", f"{entry['learning_rate']:g}"),
    ]
    if entry["macs"] is not None:
        rows += [
            ("features", f"{entry['features']:,}"),
            ("parameters", f"{entry['parameters']:,}"),
            ("MACs", f"{_millions(entry['macs'])} million for one sample: {_sample(size, views)}"),
        ]
    else:
        rows.append(("cost", f"cannot be built for {size} px"))
    return f"{entry['name']}: {entry['help']}\n{format_table(('', ''), rows).lstrip()}"


def _millions(macs: int) -> str:
    return f"{macs / 1e6:,.2f}"


def _sample(size: int, views: int) -> str:
    return f"{views} view{'s' if views > 1 else ''} of {size} px"
