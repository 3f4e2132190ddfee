"""What options may be set to, known without TensorFlow: a slip is refused before its seconds of start-up.

The registries hold the functions behind the names; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MONTAGE = "montage"
"""The aggregate that acts before the trunk."""
REFERENCE_VIEW = "reference"
"""A view of this name shows the blank, unless the caller names another."""


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """What of a recipe decides whether options go with it, see `analyte.train.recipes.recipe.Recipe`."""

    head: str = "histogram"
    loss: str | None = None
    colour: tuple[str, ...] = ("rgb", "surround")
    against_reference: tuple[str, ...] = ("absorbance",)
    invariant: bool = False
    pretrained: bool = False
    size_step: int = 8
    """Pixels."""
    min_size: int = 16
    """Pixels."""


_RGB = ("rgb",)
_TRANSFER = RecipeFacts(colour=_RGB, against_reference=(), pretrained=True, size_step=32, min_size=32)

RECIPE_FACTS: Mapping[str, RecipeFacts] = {
    "isotropic": RecipeFacts(invariant=True),
    "isotropic-wide": RecipeFacts(colour=_RGB, invariant=True),
    "p4m": RecipeFacts(invariant=True),
    "steerable": RecipeFacts(colour=_RGB, invariant=True),
    "vgg": RecipeFacts(),
    "conv-flatten": RecipeFacts(size_step=1),
    "conv-gap": RecipeFacts(size_step=4),
    "bottleneck": RecipeFacts(size_step=4),
    "inception-small": RecipeFacts(),
    "resnet-small": RecipeFacts(size_step=4),
    "msd": RecipeFacts(size_step=1),
    "cnn-16-32-64": RecipeFacts(head="linear", loss="mape", colour=_RGB, against_reference=()),
    "transfer-resnet50": _TRANSFER,
    "transfer-vgg16": _TRANSFER,
    "transfer-mobilenetv2": _TRANSFER,
    "transfer-mobilenetv3": _TRANSFER,
    "transfer-efficientnet": _TRANSFER,
}

_SCALAR_LOSSES = ("huber", "mse", "mae", "mape", "log-cosh")

HEAD_LOSSES: Mapping[str, tuple[str, ...]] = {
    "histogram": ("cross-entropy",),
    "linear": _SCALAR_LOSSES,
    "bounded": _SCALAR_LOSSES,
    "bins": ("huber", "mse", "mae", "log-cosh"),
    "gaussian": ("likelihood",),
}
"""Losses that go with each head; the first is its own."""

COLOURS = (
    "rgb", "absorbance", "surround", "reflectance", "density", "ratio", "log", "standardized", "lab", "grey",
)  # fmt: skip
COMPARED = frozenset({"absorbance", "ratio"})
"""Colour planes that compare with the reference view."""
AGGREGATE_NAMES = ("concat", "mean", "max", "lstm", "attention", MONTAGE)
TRANSFORM_NAMES = ("scale", "log", "none")
