"""One pass over the pictures of a dataset: what every check and every statistic is computed from."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.dataset import Dataset, Sample, View
from analyte.contract.errors import ImageError
from analyte.contract.imaging import read_image
from analyte.contract.preprocessing import PreprocessingSpec, is_grey, preprocess

THUMBNAIL_PX = 16
"""Edge of the thumbnails in which pictures are compared."""
BLACK, WHITE = 1, 254
"""Values of a channel at and beyond which it is clipped: JPEG moves 0 and 255 by one."""
_PEAK = 0.99
DARK = 25
"""Value of the brightest channel up to which a pixel is dark, whatever its colour."""
_LARGEST_NETWORK_PX = 64
_SMALLEST_NETWORK_PX = 16
_MOST_PIXELS = 256
"""Rows and columns of a region that are looked at for clipping: every k-th of a larger one."""
_EXIF_MARKS = (b"Exif", b"eXIf", b"EXIF")
"""How JPEG, PNG and WebP name the block; a TIFF needs no name, it starts with II or MM."""
_EXIF_WITHIN = 1 << 16
"""Bytes at the start of a file in which a camera writes the block."""


@dataclass(frozen=True, slots=True)
class UnusablePicture:
    """A picture that training would refuse."""

    sample: Sample
    view: View
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """Measurements of every view (V) of every sample (N), in the dataset's order."""

    network_px: int
    """Edge of the picture that the network is taken to have, pixels."""
    usable: npt.NDArray[np.bool_]
    """``[N]``: whether every view could be read. All other arrays hold zeros for the rest."""
    unusable: tuple[UnusablePicture, ...]
    region_px: npt.NDArray[np.int64]
    """``[N, V, 2]``: width and height of the region, pixels; of the whole picture where there is none."""
    picture_px: npt.NDArray[np.int64]
    """``[N, V, 2]``: width and height of the whole picture as the decoder gives it, pixels."""
    mean_rgb: Float64Array
    """``[N, V, 3]``: mean of R, G and B over the region, 0 to 255."""
    black: Float64Array
    """``[N, V, 3]``: share of the region's pixels, 0 to 1, whose R, G or B is at most `BLACK`."""
    white: Float64Array
    """``[N, V, 3]``: share of the region's pixels, 0 to 1, whose R, G or B is at least `WHITE`."""
    cut: Float64Array
    """``[N, V, 3]``: the part of ``black`` where another channel is above `DARK`: colour that was cut off,
    not a black background."""
    peak: Float64Array
    """``[N, V]``: 99th percentile of the brightest channel, 0 to 255."""
    sharpness: Float64Array
    """``[N, V]``: variance of the Laplacian of the network's picture, 8-bit levels squared (Pech-Pacheco et
    al., "Diatom autofocusing in brightfield microscopy", ICPR 2000)."""
    grey: npt.NDArray[np.bool_]
    """``[N, V]``: whether R, G and B are equal in the whole picture."""
    orientation: npt.NDArray[np.int64]
    """``[N, V]``: EXIF orientation, 1 to 8; 1 (upright) where there is none."""
    thumbnails: UInt8Array
    """``[N, V, THUMBNAIL_PX, THUMBNAIL_PX, 3]``: RGB, 0 to 255, by the device's own preprocessing."""


def network_edge(dataset: Dataset, size: int | None) -> int:
    """Return the edge of the network's picture, pixels: ``size``, or what training takes when not told.

    That is 64, or the shorter side of the smallest region where that is less, but not under 16.
    """
    if size is not None:
        return size
    regions = [view.region for sample in dataset.samples for view in sample.views if view.region is not None]
    shortest = min((min(region.w, region.h) for region in regions), default=_LARGEST_NETWORK_PX)
    return max(_SMALLEST_NETWORK_PX, min(_LARGEST_NETWORK_PX, shortest))


def survey(
    dataset: Dataset, *, size: int | None = None, on_progress: Callable[[int], object] = lambda done: None
) -> Survey:
    """Read every picture once. ``on_progress`` is called with the number of samples just done.

    Pictures that cannot be used are listed, not raised.
    """
    n, v = len(dataset.samples), len(dataset.spec.views)
    result = Survey(
        network_px=network_edge(dataset, size),
        usable=np.ones(n, np.bool_),
        unusable=(),
        region_px=np.zeros((n, v, 2), np.int64),
        picture_px=np.zeros((n, v, 2), np.int64),
        mean_rgb=np.zeros((n, v, 3)),
        black=np.zeros((n, v, 3)),
        white=np.zeros((n, v, 3)),
        cut=np.zeros((n, v, 3)),
        peak=np.zeros((n, v)),
        sharpness=np.zeros((n, v)),
        grey=np.zeros((n, v), np.bool_),
        orientation=np.ones((n, v), np.int64),
        thumbnails=np.zeros((n, v, THUMBNAIL_PX, THUMBNAIL_PX, 3), np.uint8),
    )
    unusable: list[UnusablePicture] = []
    # Views, and often samples too, are regions of one photograph: it is decoded once.
    read = functools.lru_cache(maxsize=2)(_read)
    for index, sample in enumerate(dataset.samples):
        for position, view in enumerate(sample.views):
            try:
                _measure(read(view.path), view, result, (index, position))
            except ImageError as error:
                unusable.append(UnusablePicture(sample, view, error.line()))
                result.usable[index] = False
        on_progress(1)
    return replace(result, unusable=tuple(unusable))


@dataclass(frozen=True, slots=True)
class _Photograph:
    """A decoded file, and what is true of it whatever the region."""

    pixels: UInt8Array
    grey: bool
    orientation: int


def _read(path: Path) -> _Photograph:
    pixels = read_image(path)
    # A few rows show that most pictures are in colour.
    grey = is_grey(pixels[:: max(1, len(pixels) // 32)]) and is_grey(pixels)
    return _Photograph(pixels, grey, exif_orientation(path))


def exif_orientation(path: Path) -> int:
    """Return the orientation that a picture's EXIF block asks for, 1 to 8; 1 (upright) where it says nothing.

    Only the header is read: the decoder has turned the pixels already.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_EXIF_WITHIN)
    except OSError:
        return 1
    if not head.startswith((b"II", b"MM")) and not any(mark in head for mark in _EXIF_MARKS):
        return 1
    # Pillow reads the header, for OpenCV turns the pixels and does not say so.
    from PIL import ExifTags, Image

    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")  # about EXIF blocks that are damaged elsewhere
            # Asking a PNG for EXIF that does not stand before its pixels would decode all of them.
            if image.format == "PNG" and "exif" not in image.info:
                return 1
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _measure(photograph: _Photograph, view: View, result: Survey, at: tuple[int, int]) -> None:
    """Fill in one view's row of every array. Raises: ImageError."""
    picture = photograph.pixels
    network = preprocess(picture, PreprocessingSpec(size=result.network_px), view.region, where=view.path)
    # Beyond here the region lies within the picture.
    box = view.region
    region = picture if box is None else picture[box.y : box.y + box.h, box.x : box.x + box.w]
    thumbnail = PreprocessingSpec(size=THUMBNAIL_PX)
    result.thumbnails[at] = preprocess(picture, thumbnail, box, where=view.path)
    result.picture_px[at] = picture.shape[1], picture.shape[0]
    result.region_px[at] = region.shape[1], region.shape[0]
    result.grey[at] = photograph.grey
    result.orientation[at] = photograph.orientation
    # Some rows and columns stand for a large region, each as it is: an average would hide clipped pixels.
    rows, columns = (max(1, side // _MOST_PIXELS) for side in region.shape[:2])
    pixels = np.ascontiguousarray(region[::rows, ::columns])
    share = _histograms(pixels, None)
    result.mean_rgb[at] = share @ np.arange(256)
    result.peak[at] = int((share.cumsum(axis=1) < _PEAK).sum(axis=1).max())
    result.black[at] = share[:, : BLACK + 1].sum(axis=1)
    result.white[at] = share[:, WHITE:].sum(axis=1)
    if result.black[at].any():
        blue, green, red = cv2.split(pixels)
        lit = (cv2.max(cv2.max(red, green), blue) > DARK).astype(np.uint8)
        result.cut[at] = _histograms(pixels, lit)[:, : BLACK + 1].sum(axis=1)
    luma = cv2.cvtColor(network, cv2.COLOR_RGB2GRAY)
    result.sharpness[at] = cv2.Laplacian(luma, cv2.CV_64F).var()


def _histograms(pixels: UInt8Array, mask: UInt8Array | None) -> Float64Array:
    """Return the share of pixels at every level, ``[3, 256]`` for R, G and B.

    ``pixels``: ``[h, w, 3]``, BGR. ``mask``: ``[h, w]``, not 0 where a pixel counts; shares are of all
    pixels.
    """
    counts = [cv2.calcHist([pixels], [channel], mask, [256], [0, 256]).ravel() for channel in (2, 1, 0)]
    shares: Float64Array = np.asarray(counts, np.float64) / (pixels.shape[0] * pixels.shape[1])
    return shares
