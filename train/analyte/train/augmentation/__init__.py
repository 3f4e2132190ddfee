"""Changes that leave the concentration as it is: how the specimen lies, how it is lit, what the camera
does.

Everything is stateless: the same seed gives the same pictures. What one lamp and one camera do to a
sample (exposure, illuminant, flare, tone curve, compression) they do to all its views alike; position,
highlights and focus differ from view to view. `analyte.train.augmentation.pipeline` has the order.
"""

from __future__ import annotations

from typing import Any

from analyte.train.augmentation.settings import AUGMENTATIONS, Augmentation

__all__ = ["AUGMENTATIONS", "Augmentation", "augment"]


def augment(images: Any, seed: Any, settings: Augmentation) -> Any:
    """Change pictures at random.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB, with V and S known when the graph is made. ``seed``:
    int64 ``[2]``. Returns: the same layout and depth, as a camera would have given them. Where every
    change is switched off, the same pictures.
    """
    # Here, so that the names of the domains are there without TensorFlow.
    from analyte.train.augmentation import pipeline

    if settings == Augmentation():
        return images
    return pipeline.augment(images, seed, settings)
