"""``analyte recipes``: the costs that a training would have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analyte.contract.run import load_record
from analyte.train.recipes.registry import RECIPES
from conftest import DEFAULT_RECIPE, Invoke


def listed(invoke: Invoke, *arguments: str | int) -> dict[str, Any]:
    outcome = invoke("recipes", *arguments, "--json")
    assert outcome.code == 0, outcome.stderr
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def test_parameters_are_those_of_a_run(invoke: Invoke, one_view_run: Path) -> None:
    (entry,) = listed(invoke, DEFAULT_RECIPE, "--size", 16)["recipes"]
    assert entry["parameters"] == load_record(one_view_run).parameters
    assert entry["invariant"] is True


def test_every_view_costs(invoke: Invoke) -> None:
    entries = [
        listed(invoke, "cnn-16-32-64", "--size", 16, "--views", views)["recipes"][0] for views in (1, 2)
    ]
    assert [entry["features"] for entry in entries] == [4, 8]
    # 16 px from 3 channels to 16, 8 px to 32, 4 px to 64, then 2 px into 16 units, into 4.
    convolved = 9 * (16 * 16 * 3 * 16 + 8 * 8 * 16 * 32 + 4 * 4 * 32 * 64)
    trunk = convolved + 2 * 2 * 64 * 16 + 16 * 4
    # The linear head weighs each feature twice: for the value and for sigma.
    assert [entry["macs"] for entry in entries] == [trunk + 2 * 4, 2 * (trunk + 2 * 4)]


def test_lists_all_also_those_that_do_not_fit(invoke: Invoke) -> None:
    """Nothing fits 7 px, so nothing has to be built."""
    found = listed(invoke, "--size", 7)
    assert (found["size"], found["views"]) == (7, 1)
    assert [entry["name"] for entry in found["recipes"]] == list(RECIPES)
    assert {entry["macs"] for entry in found["recipes"]} == {None}
    lines = invoke("recipes", "--size", 7).stdout.splitlines()
    assert [line.split()[0] for line in lines[1 : len(RECIPES) + 1]] == list(RECIPES)
    (vgg,) = (line for line in lines if line.startswith("vgg "))
    assert vgg.endswith("Needs a multiple of 8 px, at least 16 px.")
    (msd,) = (line for line in lines if line.startswith("msd "))
    assert msd.endswith("Needs at least 16 px.")


def test_details(invoke: Invoke) -> None:
    outcome = invoke("recipes", "cnn-16-32-64", "--size", 16)
    assert outcome.code == 0, outcome.stderr
    rows = dict(line.split("  ", 1) for line in outcome.stdout.splitlines()[1:])
    shown = {name: value.strip() for name, value in rows.items()}
    assert shown["colour"] == "rgb"
    assert shown["head"] == "linear, loss mape"
    assert shown["hidden layer"] == "none"
    assert shown["MACs"].endswith("million for one sample: 1 view of 16 px")
    too_small = invoke("recipes", "transfer-vgg16", "--size", 16)
    assert "cannot be built for 16 px" in too_small.stdout


def test_unknown(invoke: Invoke) -> None:
    outcome = invoke("recipes", "resnet")
    assert outcome.code == 2
    assert "'resnet' is none of isotropic, " in outcome.stderr


def test_a_picture_that_no_machine_could_hold_is_refused_at_once(invoke: Invoke) -> None:
    for option, value in (("--size", 100_000), ("--views", 1_000_000)):
        outcome = invoke("recipes", option, value)
        assert (outcome.code, f"{value} is not in the range" in outcome.stderr) == (2, True)
