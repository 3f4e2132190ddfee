"""The search space: what a file may hold, what is drawn from it, and the command line made of it."""

from __future__ import annotations

import math
from pathlib import Path

import click
import pytest

from analyte.contract.errors import InputError
from analyte.train.commands.train import command as train_command
from analyte.train.sweep.search_space import (
    DEFAULT_SPACE,
    SearchSpace,
    arguments,
    draw_trials,
    load_space,
    train_options,
)

OPTIONS = train_options()


def space_of(text: str, folder: Path) -> SearchSpace:
    file = folder / "space.toml"
    file.write_text(text, "utf-8")
    return load_space(file, OPTIONS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "learning_rate = 0.01",
            r"learning_rate: unknown key; expected .*learning-rate.*; got learn",
        ),
        ("out = 'run'", r"out: unknown key"),
        ("seed = 3", r"seed: is the same for all trials.*Pass --seed to analyte sweep"),
        ("folds = 5", r"folds: is the same for all trials"),
        ("batch-size = 0", r"batch-size: .*1<=x<=4096; got 0"),
        ("batch-size = [16, 'many']", r"batch-size: .*'many'"),
        ("batch-size = 16.5", r"batch-size: .*16\.5"),
        ("batch-size = true", r"batch-size: .*expected no true or false; got True"),
        ("batch-size = []", r"batch-size: the list is empty; expected one value or more"),
        ("batch-size = [[16]]", r"batch-size: entry 1 must be a number, a text, true or false"),
        ("learning-rate = {low = 0.1}", r"learning-rate: high is missing; expected \{ low = NUMBER"),
        ("learning-rate = {low = 0.1, high = 0.01}", r"learning-rate: low must be below high"),
        (
            "learning-rate = {low = 0.0, high = 0.01, log = true}",
            r"learning-rate: a logarithmic range must begin above 0",
        ),
        ("learning-rate = {low = -1, high = 0.01}", r"learning-rate: .*-1"),
        ("learning-rate = {low = 1e-3, high = nan}", r"learning-rate: high must be a finite number; got nan"),
        ("learning-rate = {low = 1e-3, high = 1e-2, lg = true}", r"learning-rate: unknown key lg; expected"),
        ("recipe = {low = 1, high = 2}", r"recipe: takes no numbers; expected a value or a list of values"),
        ("recipe = ['isotropic', 'vggg']", r"recipe: no such recipe; .*got vggg\. Did you mean vgg\?"),
        ("head = 'softmax'", r"head: no such head; expected histogram \| .*got softmax"),
        ("colour = 'rgb+rgb'", r"colour: the same plane stands twice.*got rgb\+rgb\. Pass --colour rgb"),
        ("augment = ['Lab']", r"augment: no such augment.*Did you mean lab\?"),
        ("loss = 'rmse'", r"loss: no such loss; .*mse"),
        ("recipe =", r"not valid TOML"),
    ],
)
def test_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"space\.toml: {said}"):
        space_of(text, tmp_path)


def test_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        space_of("recipe = 'none'\nbatch-size = [0, 'many']\nsize = 32\nhed = 'bins'", tmp_path)
    line = caught.value.line()
    assert "4 entries cannot be used: (1) recipe: no such recipe" in line
    for part in ("(2) batch-size: 0 ", "(3) batch-size: 'many'", "(4) hed: unknown key", "mean head?"):
        assert part in line
    assert "size: 32" not in line


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml: No such file"):
        load_space(tmp_path / "nowhere.toml", OPTIONS)


def test_default_space_fits_the_command() -> None:
    space = load_space(DEFAULT_SPACE, OPTIONS)
    trials = draw_trials(space, OPTIONS, 8, 0)
    assert len(trials) == 8
    assert all(set(trial) == set(space.searched) for trial in trials)


MIXED = """
epochs = 3
recipe = ["isotropic", "vgg"]
learning-rate = { low = 1e-4, high = 1e-1, log = true }
patience = { low = 2, high = 5 }
"""


def test_drawn_within_bounds(tmp_path: Path) -> None:
    space = space_of(MIXED, tmp_path)
    assert space.searched == ("recipe", "learning-rate", "patience")
    trials = draw_trials(space, OPTIONS, 200, 1)
    assert len(trials) == 200
    assert {trial["epochs"] for trial in trials} == {3}
    assert {trial["recipe"] for trial in trials} == {"isotropic", "vgg"}
    assert {trial["patience"] for trial in trials} == {2, 3, 4, 5}
    rates = [float(trial["learning-rate"]) for trial in trials]
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    # Evenly on a logarithmic scale: a third lies in each decade.
    for decade in (-4, -3, -2):
        share = sum(decade <= math.log10(rate) < decade + 1 for rate in rates) / len(rates)
        assert 0.2 < share < 0.47


def test_same_seed_same_trials(tmp_path: Path) -> None:
    space = space_of(MIXED, tmp_path)
    assert draw_trials(space, OPTIONS, 5, 7) == draw_trials(space, OPTIONS, 5, 7)
    assert draw_trials(space, OPTIONS, 5, 7) != draw_trials(space, OPTIONS, 5, 8)


def test_no_two_alike_and_no_more_than_there_are(tmp_path: Path) -> None:
    space = space_of("size = [16, 32]\nbatch-size = [16, 32, 64]", tmp_path)
    trials = draw_trials(space, OPTIONS, 20, 0)
    assert len(trials) == 6
    assert len({tuple(trial.items()) for trial in trials}) == 6


def test_as_many_as_asked_from_a_range(tmp_path: Path) -> None:
    """Whole numbers of a range come again by chance: that is no lack of them."""
    trials = draw_trials(space_of("batch-size = { low = 8, high = 32 }", tmp_path), OPTIONS, 20, 0)
    assert len({trial["batch-size"] for trial in trials}) == 20


def test_arguments_are_understood_by_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, to arguments, to what the command would be called with."""
    monkeypatch.chdir(tmp_path)
    Path("start.weights.h5").touch()
    settings = {"recipe": "vgg", "batch-size": 16, "learning-rate": 0.0039, "weights": "start.weights.h5"}
    context = train_command.make_context("train", ["data", "-o", "run", *arguments(settings, OPTIONS)])
    assert context.params["recipe"] == "vgg"
    assert context.params["batch_size"] == 16
    assert context.params["learning_rate"] == 0.0039
    # Trials run in other folders.
    assert context.params["weights"] == tmp_path / "start.weights.h5"


def test_flags() -> None:
    options = {
        "both": click.Option(["--both/--no-both"]),
        "single": click.Option(["--single"], is_flag=True),
    }
    assert arguments({"both": True, "single": True}, options) == ["--both", "--single"]
    assert arguments({"both": False, "single": False}, options) == ["--no-both"]
