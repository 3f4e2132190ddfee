"""How strongly pictures are changed, and the domains that name a choice of strengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly pictures are changed. Zero, the default, switches a change off.

    Strengths of light are in terms of the 8-bit value, which cameras encode as about the 2.2th root of
    the light (IEC 61966-2-1): a factor f on the value is a factor f^2.2 on the light. "Fraction of the
    edge" keeps a change the same on the specimen whatever size the network's picture has.
    """

    rotation: bool = False
    """Turn by any angle about the middle."""
    flip: bool = False
    """Mirror half of the pictures; with ``rotation`` that is a mirror at any angle."""
    translation: float = 0.0
    """Largest shift, right or left and up or down, fraction of the edge."""
    brightness: float = 0.0
    """Largest change of the exposure, natural logarithm of the factor. Areas of an eighth of the edge
    are not burnt out by it, nor by ``illuminant``: `analyte.train.augmentation.light.held_back`."""
    illuminant: float = 0.0
    """Standard deviation of each channel's gain, natural logarithm of the factor."""
    crosstalk: float = 0.0
    """Standard deviation of the entries by which a camera's colour matrix differs; greys stay grey."""
    gamma: float = 0.0
    """Largest change of the tone curve, natural logarithm of the exponent; black and white stay."""
    flare: float = 0.0
    """Largest level that black is lifted to, or cut off at, fraction of full scale; white stays."""
    noise: float = 0.0
    """Largest standard deviation of the sensor noise, fraction of full scale."""
    glare: float = 0.0
    """Largest height of a highlight, fraction of the way from the picture to white."""
    glare_share: float = 0.0
    """Probability that a picture has highlights."""
    blur: float = 0.0
    """Largest standard deviation of the blur, fraction of the edge."""
    blur_share: float = 0.0
    """Probability that a picture is blurred."""
    jpeg_quality: int = 95
    """Lowest quality of the compression (libjpeg's scale, 1 to 95); the highest is 95."""
    jpeg_share: float = 0.0
    """Probability that the pictures of a sample are compressed."""


def none(rotation_invariant: bool) -> Augmentation:
    """Change nothing: pictures as recorded, whatever turning does to the value."""
    del rotation_invariant
    return Augmentation()


def lab(rotation_invariant: bool) -> Augmentation:
    """Change what varies in a rig: how the specimen lies, the lamp's level and colour, sensor noise.

    ``rotation_invariant``: whether turning and mirroring a picture leaves its value as it is; where they
    do not, neither is done. Gains of 10 % cover a lamp of another batch or age and a white balance that
    was set anew; exposure of +-20 % is +-0.6 stops. The camera is of one kind with its settings locked, so
    tone curve, black level and colour matrix stay: a change of 5 % in the tone curve alone is 5 % of the
    absorbance, hence of the value (docs/decisions/0015). A rig avoids blur, compression and highlights.
    """
    return Augmentation(
        rotation=rotation_invariant,
        flip=rotation_invariant,
        translation=0.05,
        brightness=0.2,
        illuminant=0.1,
        noise=0.02,
    )


def field(rotation_invariant: bool) -> Augmentation:
    """Change what varies with a phone in the hand: any lamp, any camera, any angle to the light.

    ``rotation_invariant``: as in `lab`. Something of known colour must be in the picture or beside it (a
    reference view, white paper): without, no person could read the value either. Why so strong:

    - brightness 0.3: automatic exposure follows the background and is off by up to about one stop, a
      factor 2 in the light, hence 2^(1/2.2) = e^0.315 in the value;
    - illuminant 0.15: between tungsten (2856 K) and daylight (6500 K) the ratio of light at 450 and 600
      nm changes 4.7-fold (Planck's law), e^0.70 in the value. Automatic white balance removes most of
      it; two standard deviations of the blue-to-red ratio, 2 * sqrt(2) * 0.15 = 0.42, leave 60 % of it;
    - gamma 0.2: cameras' curves lie between exponents of about 1/1.8 and 1/2.2 of the light, a ratio of
      e^0.2, and phones bend them further from scene to scene;
    - crosstalk 0.1: the colour matrices of cameras differ by about as much, entry by entry, as the
      filters on their pixels do. Of all changes this one helps most where cameras are new
      (docs/decisions/0013);
    - flare 0.03: a small lens without a hood scatters some per cent of the scene's light over the
      picture, which in the middle tones lifts the value by about as much;
    - glare: specimens are wet or glossy, and the light comes from any side;
    - blur 0.02: about one pixel of a 64-pixel picture, as out of focus or by a moving hand;
    - JPEG 70 to 95: what messengers and phones write, for regions that are about as small as the
      network's picture. In larger ones resizing averages the artefacts away, hence on a quarter only.
    """
    return Augmentation(
        rotation=rotation_invariant,
        flip=rotation_invariant,
        translation=0.05,
        brightness=0.3,
        illuminant=0.15,
        crosstalk=0.1,
        gamma=0.2,
        flare=0.03,
        noise=0.02,
        glare=0.6,
        glare_share=0.25,
        blur=0.02,
        blur_share=0.25,
        jpeg_quality=70,
        jpeg_share=0.25,
    )


AUGMENTATIONS: Mapping[str, Callable[[bool], Augmentation]] = {"lab": lab, "field": field, "none": none}
"""Domains by name, each a function of whether turning a picture leaves its value as it is
(`analyte.contract.dataset.DatasetSpec.rotation_invariant`)."""
