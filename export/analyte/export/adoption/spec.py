"""What only the owner of a model knows of it: a TOML file beside the model."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from analyte.contract.errors import InputError
from analyte.contract.label import Finite
from analyte.contract.validation import in_words, not_toml

CHANNELS = 3


def _per_channel(given: object) -> object:
    numbers = list(given) if isinstance(given, list) else [given] * CHANNELS
    if len(numbers) != CHANNELS or any(
        isinstance(n, bool) or not isinstance(n, (int, float)) for n in numbers
    ):
        raise ValueError("must be a number, or one for each channel in the model's order")
    return tuple(numbers)


PerChannel = Annotated[tuple[Finite, Finite, Finite], BeforeValidator(_per_channel)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSection(_Section):
    """What the model takes for a picture. Never guessed: a wrong guess gives wrong numbers."""

    black: PerChannel
    """What stands for a pixel of 0; a number, or one per channel in the model's order."""
    white: PerChannel
    """What stands for a pixel of 255."""
    channels: Literal["rgb", "bgr"] = "rgb"
    """Order of the channels in the model's input."""
    size: int | None = Field(default=None, ge=8, le=1024)
    """Edge of the square picture, pixels; needed where the model leaves it open."""

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if any(black == white for black, white in zip(self.black, self.white, strict=True)):
            raise ValueError("black and white must differ")
        return self


class OutputSection(_Section):
    """How the model's number becomes the value: ``value = scale * output + offset``, in ``unit``."""

    scale: Finite = 1.0
    offset: Finite = 0.0

    @model_validator(mode="after")
    def _not_constant(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale must not be 0")
        return self


class ModelSpec(_Section):
    """The contents of a specification."""

    unit: str = Field(min_length=1)
    """Unit of the value. Must be that of the labels."""
    analyte: str | None = Field(default=None, min_length=1)
    """What is measured, where no ``dataset.toml`` says so."""
    unseen: Literal["val", "all"]
    """Which labelled pictures the model's training never saw: those that the split column marks ``val``
    or ``test``, or all. Interval and refusals are calibrated on such pictures only."""
    input: InputSection
    output: OutputSection = OutputSection()
    features: str | None = Field(default=None, min_length=1)
    """The layer whose output, ``[N, F]``, the float head takes; None finds the last layer with weights, and
    takes what goes into it."""


def load_spec(file: Path) -> ModelSpec:
    """Read a specification. Raises: InputError naming file, key, what was expected and what was got."""
    try:
        return ModelSpec.model_validate(tomllib.loads(file.read_text("utf-8-sig")))
    except OSError as error:
        raise InputError(
            error.strerror or "cannot be read", where=file, fix="See docs/bring-your-own.md"
        ) from error
    except ValidationError as error:
        raise InputError(in_words(error, ModelSpec), where=file, fix="See docs/bring-your-own.md") from error
    except (ValueError, RecursionError) as error:
        raise not_toml(error, InputError, file) from error
