"""Published networks for photographs of things, as trunks: a start where pictures are few.

The architectures are those of keras.applications, built without weights: nothing is ever downloaded.
Weights come from a file that the user has (`analyte.train.recipes.weights`). Each network is given what
it was published with: its own scaling of intensities, and its own order of colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras

from analyte.contract.errors import SettingsError
from analyte.train.recipes.recipe import BACKBONE_LAYER, Recipe

_STRIDE = 32
"""Every one of them halves the picture five times, and takes none smaller than this, pixels."""

_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
"""Mean of the ImageNet photographs, 0 to 255, as `keras.applications` subtracts it (mode "caffe")."""
_MEAN_RGB = (0.485, 0.456, 0.406)
_DEVIATION_RGB = (0.229, 0.224, 0.225)
"""Mean and standard deviation of the ImageNet photographs, 0 to 1, as published with EfficientNet."""

Scale = Callable[[Any], Any]
"""From the colour plane "rgb" (intensity times 4 less 2) to what a published network expects."""


def _signed(pictures: Any) -> Any:
    """Intensities from -1 to 1 (mode "tf" of `keras.applications`)."""
    return keras.layers.Rescaling(0.5)(pictures)


def _bytes(pictures: Any) -> Any:
    """Intensities from 0 to 255."""
    return keras.layers.Rescaling(255.0 / 4.0, 255.0 / 2.0)(pictures)


def _caffe(pictures: Any) -> Any:
    """Intensities from 0 to 255 less the mean photograph, blue first (mode "caffe")."""
    channels = [pictures[..., at : at + 1] for at in (2, 1, 0)]
    offset = [255.0 / 2.0 - mean for mean in _CAFFE_MEAN_BGR]
    return keras.layers.Rescaling([255.0 / 4.0] * 3, offset)(keras.layers.Concatenate()(channels))


def _efficientnet(pictures: Any) -> Any:
    """What makes EfficientNet's own first layers give (intensity - mean) / deviation, intensity 0 to 1.

    They divide by 255, subtract the mean and divide by the root of what the published weights hold as
    the variance, which is the deviation. Where Keras loads those weights itself it adds a layer that
    divides by the root once more; built without weights, that layer is missing. Here it is done before,
    about the same mean.
    """
    roots = [math.sqrt(deviation) for deviation in _DEVIATION_RGB]
    means = [255.0 * mean for mean in _MEAN_RGB]
    offset = [mean + (255.0 / 2.0 - mean) / root for mean, root in zip(means, roots, strict=True)]
    return keras.layers.Rescaling([255.0 / 4.0 / root for root in roots], offset)(pictures)


def _recipe(name: str, title: str, network: Callable[..., keras.Model], scale: Scale) -> Recipe:
    def trunk(pictures: Any) -> Any:
        # A montage is no square.
        _, rows, columns, channels = pictures.shape
        if channels != 3:
            raise SettingsError(
                f"recipe {name!r} continues a network for colour photographs",
                where="--colour",
                expected="rgb",
                got=f"planes of {channels} channels together",
            )
        backbone = network(
            include_top=False,
            weights=None,
            input_shape=(rows, columns, 3),
            pooling="avg",
            name=BACKBONE_LAYER,
        )
        return backbone(scale(pictures))

    return Recipe(
        name=name,
        help=f"{title} from keras.applications; its weights from a file, or none.",
        trunk=trunk,
        size_step=_STRIDE,
        min_size=_STRIDE,
        colour=("rgb",),
        against_reference=(),
        learning_rate=1e-3,
        pretrained=True,
    )


RECIPES = (
    _recipe("transfer-resnet50", "ResNet50", keras.applications.ResNet50, _caffe),
    _recipe("transfer-vgg16", "VGG16", keras.applications.VGG16, _caffe),
    _recipe("transfer-mobilenetv2", "MobileNetV2", keras.applications.MobileNetV2, _signed),
    _recipe("transfer-mobilenetv3", "MobileNetV3 small", keras.applications.MobileNetV3Small, _bytes),
    _recipe("transfer-efficientnet", "EfficientNetB0", keras.applications.EfficientNetB0, _efficientnet),
)
