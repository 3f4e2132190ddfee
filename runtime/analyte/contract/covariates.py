"""Numbers and categories beside the picture, and how the graph takes them.

The graph's second input is ``covariates`` float32 ``[N, K]``: numbers first, in their own units, then
categories as their index in the training's list; both in the order of ``dataset.toml``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from analyte.contract.arrays import Float32Array
from analyte.contract.errors import InputError
from analyte.contract.label import Finite

Covariate = float | str
"""A number, or the name of a category."""

_TOLERATED = 0.1
"""How far beyond the training's range a number may lie and be flagged instead of refused, as a fraction of
that range: docs/decisions/0012."""

_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")


def _ordered(limits: tuple[float, float]) -> tuple[float, float]:
    if not limits[0] <= limits[1]:
        raise ValueError("must be [low, high] with low <= high")
    return limits


class NumericCovariate(BaseModel):
    """A number beside the picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    range: Annotated[tuple[Finite, Finite], AfterValidator(_ordered)]
    """Lowest and highest number among the training samples, in its own unit."""


class CategoricalCovariate(BaseModel):
    """One of a few names beside the picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    categories: tuple[str, ...] = Field(min_length=1)
    """What the training samples had, in the order of the indices."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.categories)) != len(self.categories):
            raise ValueError("categories must be different names")
        return self


@dataclass(frozen=True, slots=True)
class Examination:
    """What is wrong with the covariates of a sample."""

    problem: str = ""
    """Why no value may be given for it; empty where one may."""
    remark: str = ""
    """What a person should know of a value that is given; empty where there is nothing."""


class CovariateSpec(BaseModel):
    """The covariates of a run or a bundle; none by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    numeric: tuple[NumericCovariate, ...] = ()
    categorical: tuple[CategoricalCovariate, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.names)) != len(self.names):
            raise ValueError("covariates must have different names")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the graph's input; K of them."""
        return (*(entry.name for entry in self.numeric), *(entry.name for entry in self.categorical))

    def parse(self, given: Mapping[str, object], *, where: object = None) -> dict[str, Covariate]:
        """Bring what a person wrote to numbers and categories, in the order of `names`.

        A number that stands for a category is taken as its name. Not all have to be given.
        Raises: InputError for a name that is no covariate here, and for what is no number where one is due.
        """
        unknown = [name for name in given if name not in self.names]
        if unknown:
            raise InputError(
                f"there is no covariate {unknown[0]!r}", where=where, expected=", ".join(self.names) or "none"
            )
        numeric = {entry.name for entry in self.numeric}
        parsed: dict[str, Covariate] = {}
        for name in self.names:
            if name in given:
                text = str(given[name]).strip()
                try:
                    parsed[name] = parse_number(text) if name in numeric else text
                except ValueError as error:
                    raise InputError(f"covariate {name!r}: {error}", where=where) from error
        return parsed

    def encode(self, values: Mapping[str, Covariate]) -> Float32Array:
        """Return the graph's input for one sample, float32 ``[K]``.

        A category that the training did not know gets the index after the last one, which is none of them for
        the graph; `examine` refuses it. Raises: KeyError where one is missing.
        """
        row = [float(values[entry.name]) for entry in self.numeric]
        for entry in self.categorical:
            name = str(values[entry.name])
            known = name in entry.categories
            row.append(float(entry.categories.index(name) if known else len(entry.categories)))
        return np.asarray(row, np.float32)

    def encode_all(self, samples: Sequence[Mapping[str, Covariate]]) -> Float32Array:
        """Return the graph's input for several samples, float32 ``[N, K]``; see `encode`."""
        rows = [self.encode(values) for values in samples]
        return np.asarray(rows, np.float32).reshape(len(samples), len(self.names))

    def examine(self, values: Mapping[str, Covariate]) -> Examination:
        """Say whether a value may be given for a sample with these covariates.

        It may not where one is missing, a category is none of the training's, or a number is not finite or
        lies beyond the training's range by more than a tenth of it: the network extrapolates without a sign.
        By less is worth a remark.
        """
        problems: list[str] = []
        remarks: list[str] = []
        for entry in self.numeric:
            low, high = entry.range
            number = values.get(entry.name)
            if number is None:
                problems.append(f"{entry.name} is missing")
                continue
            excess = max(low - float(number), float(number) - high)
            text = f"expected {entry.name} within {low:g} to {high:g}, as in training; got {float(number):g}"
            # Written so that a NaN is refused.
            if not excess <= _TOLERATED * (high - low):
                problems.append(text)
            elif excess > 0:
                remarks.append(text)
        for choice in self.categorical:
            name = values.get(choice.name)
            if name is None:
                problems.append(f"{choice.name} is missing")
            elif name not in choice.categories:
                problems.append(
                    f"expected {choice.name} as in training: {_shown(choice.categories)}; got {name!r}"
                )
        return Examination("; ".join(problems), "; ".join(remarks))


def fit_covariates(
    numeric: Sequence[str], categorical: Sequence[str], training: Iterable[Mapping[str, Covariate]]
) -> CovariateSpec:
    """Return the ranges and categories that the training samples have; categories in alphabetical order.

    ``numeric``, ``categorical``: names as in ``dataset.toml``. ``training``: by name, one mapping per sample
    (`analyte.contract.dataset.Dataset.covariates_of`), at least one.
    """
    samples = list(training)

    def numbers(name: str) -> list[float]:
        return [float(sample[name]) for sample in samples]

    def names(name: str) -> list[str]:
        return sorted({str(sample[name]) for sample in samples})

    return CovariateSpec(
        numeric=tuple(
            NumericCovariate(name=name, range=(min(numbers(name)), max(numbers(name)))) for name in numeric
        ),
        categorical=tuple(
            CategoricalCovariate(name=name, categories=tuple(names(name))) for name in categorical
        ),
    )


def parse_number(text: str) -> float:
    """Read a finite decimal number with a point. Raises: ValueError that says what is wrong."""
    try:
        # Python reads 1_5 as 15; a person who writes so means 1.5.
        number = float("" if "_" in text else text)
    except ValueError:
        comma = " (decimals need a point, not a comma)" if _DECIMAL_COMMA.fullmatch(text) else ""
        raise ValueError(f"{_cut(text)!r} is not a number{comma}") from None
    if not math.isfinite(number):
        raise ValueError(f"{_cut(text)!r} is not finite")
    return number


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
