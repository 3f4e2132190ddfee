"""Which options go together and with the data; found out before TensorFlow starts, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from analyte.contract.dataset import Dataset, DatasetSpec
from analyte.contract.errors import AnalyteError, SettingsError
from analyte.train.augmentation.settings import AUGMENTATIONS
from analyte.train.folds import split_folds
from analyte.train.option_names import (
    AGGREGATE_NAMES,
    COLOURS,
    COMPARED,
    HEAD_LOSSES,
    MONTAGE,
    RECIPE_FACTS,
    REFERENCE_VIEW,
    TRANSFORM_NAMES,
    RecipeFacts,
)

NO_REFERENCE = "none"
DEFAULT_RECIPE, DEFAULT_AGGREGATE, DEFAULT_TRANSFORM = "isotropic", "concat", "scale"

NAMES_OF: dict[str, tuple[str, ...]] = {
    "recipe": tuple(RECIPE_FACTS),
    "aggregate": AGGREGATE_NAMES,
    "head": tuple(HEAD_LOSSES),
    "loss": tuple(dict.fromkeys(loss for losses in HEAD_LOSSES.values() for loss in losses)),
    "transform": TRANSFORM_NAMES,
    "augment": tuple(AUGMENTATIONS),
}
"""What options may be set to whatever the data, by name without dashes; colours are joined by ``+``."""

OPTIONS_CHECKED = frozenset({*NAMES_OF, "colour", "reference", "weights", "size"})
"""Options of `check_options` that a sweep may search."""


@dataclass(frozen=True, slots=True)
class NetworkNames:
    """Options of a network completed by those of its recipe."""

    recipe: str
    colour: tuple[str, ...]
    reference: str | None
    head: str
    loss: str


def name_problems(option: str, value: str) -> list[SettingsError]:
    """Return what is wrong with the value of an option, whatever the others are; at most one error."""
    if option == "colour":
        return _colour_problems(tuple(value.split("+")))
    known = NAMES_OF.get(option)
    return [] if known is None or value in known else [no_such(option, value, known)]


def no_such(kind: str, name: str, known: Iterable[str]) -> SettingsError:
    """Return an error that lists what there is, and says what may have been meant."""
    names = list(known)
    close = get_close_matches(name.lower(), names, 1)
    fix = f"Did you mean {close[0]}?" if close else None
    return SettingsError(
        f"no such {kind}", where=f"--{kind}", expected=" | ".join(names), got=name or "nothing", fix=fix
    )


def raise_all(problems: Sequence[AnalyteError]) -> None:
    """Raise one error that holds all problems; return where there are none. Raises: SettingsError."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        listed = "; ".join(f"({n}) {problem.line()}" for n, problem in enumerate(problems, start=1))
        raise SettingsError(f"{len(problems)} options cannot be used: {listed}")


def check_options(
    data: Dataset,
    *,
    recipe: str = DEFAULT_RECIPE,
    colour: str | None = None,
    reference: str | None = None,
    aggregate: str = DEFAULT_AGGREGATE,
    head: str | None = None,
    loss: str | None = None,
    transform: str = DEFAULT_TRANSFORM,
    augment: str = "lab",
    weights: Path | None = None,
    size: int | None = None,
    folds: int | str | None = None,
) -> None:
    """Check the options of a training against each other and a dataset whose splits are assigned.

    Raises: SettingsError that names all of them.
    """
    _, problems = complete_network(
        data.spec,
        recipe=recipe,
        colour=colour,
        reference=reference,
        aggregate=aggregate,
        head=head,
        loss=loss,
        transform=transform,
    )
    problems += name_problems("augment", augment)
    facts = RECIPE_FACTS.get(recipe)
    if facts is not None:
        problems += [*_weights_problems(recipe, facts, weights), *_size_problems(recipe, facts, size)]
    problems += _folds_problems(data, folds)
    raise_all(problems)


def complete_network(
    spec: DatasetSpec,
    *,
    recipe: str = DEFAULT_RECIPE,
    colour: str | None = None,
    reference: str | None = None,
    aggregate: str = DEFAULT_AGGREGATE,
    head: str | None = None,
    loss: str | None = None,
    transform: str = DEFAULT_TRANSFORM,
) -> tuple[NetworkNames, list[SettingsError]]:
    """Complete the options of a network by those of its recipe, and say what is wrong with them.

    ``colour``: names of planes joined by ``+``. ``reference``: a view, or `NO_REFERENCE`; None takes the view
    `REFERENCE_VIEW` where there is one.
    """
    problems = [
        problem
        for option, value in (("recipe", recipe), ("aggregate", aggregate), ("transform", transform))
        for problem in name_problems(option, value)
    ]
    facts = RECIPE_FACTS.get(recipe, RECIPE_FACTS[DEFAULT_RECIPE])
    problems += _reference_problems(spec, reference)
    blank = _reference(spec, reference)
    planes = _own_planes(facts, blank) if colour is None else tuple(colour.split("+"))
    wrong = _colour_problems(planes)
    if not wrong and reference not in (None, NO_REFERENCE) and not COMPARED.intersection(planes):
        wrong = [
            SettingsError(
                "no colour plane compares with the reference",
                where=f"--reference {reference}",
                expected=f"--colour with {' or '.join(sorted(COMPARED))}",
                got="+".join(planes),
            )
        ]
    ending = head or facts.head
    problems += [*wrong, *_loss_problems(ending, loss)]
    # The recipe's own loss goes with the recipe's own head only.
    losses = HEAD_LOSSES.get(ending, ("",))
    own = facts.loss if head in (None, facts.head) and facts.loss else losses[0]
    if recipe in RECIPE_FACTS and aggregate in AGGREGATE_NAMES:
        problems += _data_problems(spec, recipe, facts, aggregate)
    return NetworkNames(recipe, planes, blank, ending, loss or own), problems


def swapped_reference(spec: DatasetSpec, reference: str | None) -> str | None:
    """Return the view that is clearly the reference where the only other one was asked for."""
    others = set(spec.views) - {reference}
    return REFERENCE_VIEW if reference in spec.views and others == {REFERENCE_VIEW} else None


def _own_planes(facts: RecipeFacts, reference: str | None) -> tuple[str, ...]:
    # Without a reference view absorbance is against the picture's own mean, which holds the specimen as well:
    # it made new sessions worse (docs/decisions/0015).
    return facts.colour if reference is None else (*facts.colour, *facts.against_reference)


def _colour_problems(planes: Sequence[str]) -> list[SettingsError]:
    unknown = [plane for plane in planes if plane not in COLOURS]
    if unknown:
        return [no_such("colour", unknown[0], COLOURS)]
    if len(set(planes)) == len(planes):
        return []
    return [
        SettingsError(
            "the same plane stands twice, which costs time and tells the network nothing",
            where="--colour",
            expected="different planes joined by +",
            got="+".join(planes),
            fix=f"Pass --colour {'+'.join(dict.fromkeys(planes))}",
        )
    ]


def _loss_problems(head: str, loss: str | None) -> list[SettingsError]:
    if head not in HEAD_LOSSES:
        return [no_such("head", head, HEAD_LOSSES)]
    if loss is None or loss in HEAD_LOSSES[head]:
        return []
    if loss not in NAMES_OF["loss"]:
        return [no_such("loss", loss, HEAD_LOSSES[head])]
    fitting = [name for name, losses in HEAD_LOSSES.items() if loss in losses]
    return [
        SettingsError(
            f"the loss does not go with head {head!r}",
            where="--loss",
            expected=" | ".join(HEAD_LOSSES[head]),
            got=loss,
            fix=f"Leave --loss out, or pass --head {' or '.join(fitting)}",
        )
    ]


def _reference(spec: DatasetSpec, asked: str | None) -> str | None:
    if asked is None:
        return REFERENCE_VIEW if REFERENCE_VIEW in spec.views else None
    return None if asked == NO_REFERENCE else asked


def _reference_problems(spec: DatasetSpec, asked: str | None) -> list[SettingsError]:
    if asked in (None, NO_REFERENCE):
        return []
    assert asked is not None
    if asked not in spec.views:
        return [no_such("reference", asked, (*spec.views, NO_REFERENCE))]
    if len(spec.views) > 1:
        return []
    return [
        SettingsError(
            "a reference needs another view beside it",
            where="--reference",
            expected="a dataset of two views or more",
            got=f"view {asked!r} only",
            fix="Leave --reference out, or name the views in dataset.toml",
        )
    ]


def _data_problems(spec: DatasetSpec, recipe: str, facts: RecipeFacts, aggregate: str) -> list[SettingsError]:
    """Refuse a recipe that cannot see what the data are about, and views that are not there."""
    problems: list[SettingsError] = []
    if facts.invariant and not spec.rotation_invariant:
        problems.append(
            SettingsError(
                f"recipe {recipe!r} gives one value for all turns of a picture, and here turning changes it",
                where="--recipe",
                expected="a recipe that is not invariant",
                got=f"rotation_invariant = false in {spec.name!r}",
                fix="analyte recipes lists which are invariant",
            )
        )
    if len(spec.views) == 1 and aggregate != DEFAULT_AGGREGATE:
        problems.append(
            SettingsError(
                "a montage needs several views"
                if aggregate == MONTAGE
                else "there is nothing to aggregate where a sample has one view",
                where="--aggregate",
                expected="a dataset of two views or more",
                got=f"{aggregate}, and view {spec.views[0]!r} only",
                fix="Leave --aggregate out, or name the views in dataset.toml",
            )
        )
    elif aggregate == MONTAGE and facts.invariant:
        problems.append(
            SettingsError(
                f"recipe {recipe!r} would turn the montage about its own middle, where the views meet",
                where="--aggregate",
                expected=" | ".join(name for name in AGGREGATE_NAMES if name != MONTAGE),
                got=MONTAGE,
                fix="For a montage take a recipe that is not invariant; analyte recipes lists which are",
            )
        )
    return problems


def _weights_problems(recipe: str, facts: RecipeFacts, weights: Path | None) -> list[SettingsError]:
    if weights is None or facts.pretrained:
        return []
    return [
        SettingsError(
            "the recipe has no pretrained part",
            where="--weights",
            expected=" | ".join(name for name, of in RECIPE_FACTS.items() if of.pretrained),
            got=recipe,
            fix="Leave --weights out, or pass --recipe with one of these",
        )
    ]


def _size_problems(recipe: str, facts: RecipeFacts, size: int | None) -> list[SettingsError]:
    step, least = facts.size_step, facts.min_size
    if size is None or (size % step == 0 and size >= least):
        return []
    near = max(least, round(size / step) * step)
    return [
        SettingsError(
            f"the size does not fit recipe {recipe!r}",
            where=f"--size {size}",
            expected=f"a multiple of {step} px, at least {least}",
            fix=f"Pass --size {near}",
        )
    ]


def _folds_problems(data: Dataset, folds: int | str | None) -> list[SettingsError]:
    if folds is None:
        return []
    # What is cross-validated: all but the test split.
    samples = [sample for sample in data.samples if sample.split != "test"]
    try:
        split_folds([s.group for s in samples], [s.session for s in samples], folds)
    except SettingsError as error:
        return [error]
    return []
