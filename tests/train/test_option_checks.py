"""Options are refused before TensorFlow starts: the names known without it are those of the registries."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analyte.contract.dataset import Dataset, DatasetSpec, Sample
from analyte.contract.errors import SettingsError
from analyte.train.aggregates import AGGREGATES
from analyte.train.colour import PLANES
from analyte.train.heads.registry import HEADS
from analyte.train.label_scale import TRANSFORMS
from analyte.train.option_checks import check_options, swapped_reference
from analyte.train.option_names import (
    AGGREGATE_NAMES,
    COLOURS,
    HEAD_LOSSES,
    RECIPE_FACTS,
    TRANSFORM_NAMES,
)
from analyte.train.recipes.registry import RECIPES
from conftest import Invoke
from train.tiny_studies import Study, write_study


def data(groups: int = 6, views: tuple[str, ...] = ("sample",)) -> Dataset:
    """Ten samples of each group in two sessions; none of the test split."""
    spec = DatasetSpec(name="d", analyte="a", unit="u", range=(0.0, 1.0), views=views)
    samples = tuple(
        Sample(f"s{i}", 0.5, (), f"g{i % groups}", f"day{i % groups % 2}", "train")
        for i in range(10 * groups)
    )
    return Dataset(Path("d"), spec, samples)


def test_names_are_those_of_the_registries() -> None:
    assert {n: h.losses for n, h in HEADS.items()} == HEAD_LOSSES
    assert tuple(PLANES) == COLOURS
    assert tuple(AGGREGATES) == AGGREGATE_NAMES
    assert TRANSFORMS == TRANSFORM_NAMES
    assert list(RECIPES) == list(RECIPE_FACTS)
    for name, facts in RECIPE_FACTS.items():
        recipe = RECIPES[name]
        own = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(facts)}
        assert own == dataclasses.asdict(facts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "izotropic"}, r"--recipe: no such recipe.*Did you mean isotropic\?"),
        ({"colour": "rgb+rgb"}, r"the same plane stands twice.*got rgb\+rgb\. Pass --colour rgb"),
        ({"colour": "rgb+lab+rgb"}, r"Pass --colour rgb\+lab"),
        ({"aggregate": "mean"}, r"nothing to aggregate.*two views or more; got mean, and view 'sample' only"),
        ({"reference": "sample"}, r"needs another view.*Leave --reference out"),
        ({"loss": "mse"}, r"got mse\. Leave --loss out, or pass --head linear or bounded or bins"),
        ({"size": 30}, r"--size 30: .*multiple of 8 px, at least 16\. Pass --size 32"),
        ({"size": 8, "recipe": "msd"}, r"multiple of 1 px, at least 16\. Pass --size 16"),
        ({"weights": Path("w.h5")}, r"no pretrained part; expected transfer-resnet50 \| .*got isotropic"),
        ({"augment": "none at all"}, r"no such augment"),
        ({"folds": 7}, r"more folds than groups; expected 2 to 6 folds; got 7 folds, and 6 groups"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        check_options(data(), **options)


@pytest.mark.parametrize(
    ("groups", "folds", "message"),
    [
        (1, 2, r"expected 2 folds or more; got 2 folds, and 1 group .*a group column"),
        (1, "session", r"folds need two sessions or more.*1 session "),
        (2, 2, r"too few samples.*expected 8 samples of 2 groups beside it; got 10 samples of 1, 2 groups"),
        (3, 2, r"too few samples.*Ask for more folds, 3 at most"),
    ],
)
def test_folds(groups: int, folds: int | str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        check_options(data(groups), folds=folds)


def test_all_at_once() -> None:
    with pytest.raises(SettingsError, match=r"3 options .*: \(1\) --recipe.*\(2\).*\(3\) --folds"):
        check_options(data(), recipe="none", colour="rgb+rgb", folds=70)


def test_good_ones_pass() -> None:
    views = data(views=("reference", "blank", "sample"))
    check_options(views, reference="blank", aggregate="mean", colour="rgb+ratio", size=64, folds=3)
    check_options(data(), recipe="transfer-vgg16", weights=Path("w.h5"), size=64, folds=6)


def test_a_reference_that_is_clearly_the_other_view() -> None:
    two = data(views=("reference", "sample")).spec
    assert swapped_reference(two, "sample") == "reference"
    assert swapped_reference(two, "reference") is None
    assert swapped_reference(two, None) is None
    # A blank and a white patch: either may be the reference.
    assert swapped_reference(data(views=("reference", "blank", "sample")).spec, "blank") is None


_WITHOUT = """
import sys
sys.modules["keras"] = sys.modules["tensorflow"] = sys.modules["ray"] = None
from analyte.cli import main
sys.argv = ["analyte", *sys.argv[1:]]
main()
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("options") / "d", Study(samples=60))


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_without_tensorflow(study: Path, tmp_path: Path, command: str) -> None:
    bad = ["--recipe", "vggg", "--folds", "40"]
    if command == "sweep":
        (tmp_path / "space.toml").write_text("recipe = 'vggg'\ncolour = 'cmyk'", "utf-8")
        bad = ["--space", str(tmp_path / "space.toml")]
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, command, study, "-o", tmp_path / "out", *bad],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (2 if command == "train" else 3), done.stderr
    assert "no such recipe" in done.stderr
    assert ("more folds than groups" if command == "train" else "no such colour") in done.stderr


def test_sweep_of_trials_that_cannot_run(invoke: Invoke, study: Path, tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text("head = 'histogram'\nloss = ['mse', 'mae']", "utf-8")
    outcome = invoke("sweep", study, "-o", tmp_path / "out", "--space", tmp_path / "space.toml")
    assert outcome.code == 2
    assert "the loss does not go with head 'histogram'" in outcome.stderr
    assert not (tmp_path / "out").exists()
