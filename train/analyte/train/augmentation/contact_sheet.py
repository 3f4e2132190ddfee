"""A picture of what an augmentation does, for a person to judge: can the value still be read?

Rows are samples, spread over their values. Columns: as recorded; each change alone, at its strongest in
both directions; then draws of all of them together, as training gets them. The views of a sample stand
side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.train.augmentation.glare import spots
from analyte.train.augmentation.pipeline import Change, apply, draw
from analyte.train.augmentation.settings import Augmentation

ROWS = 5
"""Samples on a sheet."""
_DRAWS = 6
_STRONG = 2.0
"""Standard deviations at which a normally distributed change is shown: 95 % are weaker."""
_CELL, _GAP, _VIEW_GAP = 64, 8, 2
"""Least edge of a picture and spaces between samples and views on the sheet, pixels."""
_LEFT, _TOP, _RIGHT, _WIDEST = 120, 100, 60, 1500
"""Margins that hold the names of rows and columns, and width of the columns between them, pixels."""
_DPI = 100


def write_contact_sheet(
    images: UInt8Array, values: Float64Array, unit: str, augmentation: Augmentation, path: Path, seed: int
) -> None:
    """Draw the sheet as a PNG.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB; ``values``: ``[N]``, in ``unit``. Of more than `ROWS`
    samples those that `spread_over` chooses are shown. The same seed gives the same sheet. Raises:
    OSError.
    """
    rows = spread_over(values)
    images = images[rows]
    columns = {"as recorded": images}
    # Where there is a GPU, too: training prepares its pictures on the CPU.
    with tf.device("/CPU:0"):
        start = tf.constant([seed, 0], tf.int64)
        for name, change in _single(images, draw(images, start, Augmentation()), augmentation):
            columns[name] = apply(tf.constant(images), change).numpy()
        for number in range(1, _DRAWS + 1):
            drawn = draw(images, tf.constant([seed, number], tf.int64), augmentation)
            columns[f"draw {number}"] = apply(tf.constant(images), drawn).numpy()
    _sheet(columns, [f"{values[row]:.4g} {unit}" for row in rows]).savefig(path, dpi=_DPI, format="png")


def spread_over(values: Float64Array, count: int = ROWS) -> list[int]:
    """Return the indices of at most ``count`` of the values ``[N]``, smallest to largest, evenly by
    rank."""
    order = np.argsort(values, kind="stable")
    places = np.linspace(0, len(order) - 1, min(count, len(order)))
    return [int(order[round(place)]) for place in places]


def _single(images: UInt8Array, still: Change, settings: Augmentation) -> Iterator[tuple[str, Change]]:
    """Give each change that is switched on, alone and at its strongest, with a name that says how
    strong."""
    for name, position in _positions(still, settings):
        yield name, still._replace(position=position)
    for name, light in _lights(still, settings):
        yield name, still._replace(light=light)
    samples, views, size = images.shape[:3]
    count = samples * views
    for sign in _both(settings.crosstalk):
        # All channels less, or more, like their mean, each row at that many deviations.
        purer = sign * _STRONG * settings.crosstalk * math.sqrt(1.5) * (tf.eye(3) - 1.0 / 3.0)
        name = f"{'purer' if sign > 0 else 'greyer'} {_STRONG:.0f} sd"
        yield name, still._replace(matrix=tf.tile([tf.eye(3) + purer], [samples, 1, 1]))
    if settings.noise:
        noise = still.noise._replace(deviation=tf.fill([count], settings.noise))
        yield f"noise {settings.noise:.1%}", still._replace(noise=noise)
    if settings.glare_share:
        # Off the middle, where it shows on light and dark parts alike.
        at, width = tf.fill([count, 1, 2], 0.4), tf.fill([count, 1, 2], 0.1)
        glare = spots(at, width, tf.fill([count, 1], settings.glare), size)
        yield f"glare {settings.glare:.0%}", still._replace(glare=glare)
    if settings.blur_share:
        yield f"blur {settings.blur:.1%}", still._replace(blur=tf.fill([count], settings.blur * size))
    if settings.jpeg_share:
        quality = tf.fill([samples], float(settings.jpeg_quality))
        yield f"JPEG {settings.jpeg_quality}", still._replace(quality=quality)


def _positions(still: Change, settings: Augmentation) -> Iterator[tuple[str, Any]]:
    position = still.position
    if settings.rotation:
        yield "turned 45°", position._replace(angle=position.angle + math.pi / 4)
    if settings.flip:
        yield "mirrored", position._replace(mirror=-position.mirror)
    for sign in _both(settings.translation):
        shift = sign * settings.translation
        yield f"shift {shift:+.0%}", position._replace(shift=position.shift + shift)


def _lights(still: Change, settings: Augmentation) -> Iterator[tuple[str, Any]]:
    light = still.light
    for sign in _both(settings.brightness):
        exposure = sign * settings.brightness
        # Held back where it would burn out the picture.
        name = f"{'brighter ≤' if sign > 0 else 'darker'} {math.expm1(exposure):+.0%}"
        yield name, light._replace(gain=light.gain * math.exp(exposure))
    for sign in _both(settings.illuminant):
        # Red and blue against each other, so that their ratio is what it is at that many deviations.
        colour = sign * _STRONG * settings.illuminant / math.sqrt(2)
        gain = light.gain * tf.exp([colour, 0.0, -colour])
        yield f"{'warmer' if sign > 0 else 'cooler'} {_STRONG:.0f} sd", light._replace(gain=gain)
    for sign in _both(settings.gamma):
        exponent = math.exp(sign * settings.gamma)
        yield f"gamma {exponent:.2f}", light._replace(exponent=light.exponent * exponent)
    for sign in _both(settings.flare):
        flare = sign * settings.flare
        yield f"black {flare:+.1%}", light._replace(flare=light.flare + flare)


def _both(strength: float) -> tuple[int, ...]:
    return (-1, 1) if strength else ()


def _sheet(columns: dict[str, UInt8Array], rows: Sequence[str]) -> Figure:
    """Lay out pictures ``[N, V, S, S, 3]`` by column name, one pixel of the figure per pixel of a
    picture."""
    strips = {name: _strip(images) for name, images in columns.items()}
    height, column = next(iter(strips.values())).shape[:2]
    # As many blocks of columns below each other as a page's width asks for, all of one width.
    blocks = -(-len(strips) * column // _WIDEST)
    across = -(-len(strips) // blocks)
    names = list(strips)
    total = (_LEFT + across * column + _RIGHT, blocks * (height + _TOP))
    figure = Figure(figsize=(total[0] / _DPI, total[1] / _DPI), dpi=_DPI)
    FigureCanvasAgg(figure)
    for block in range(blocks):
        shown = names[block * across : (block + 1) * across]
        picture = np.concatenate([strips[name] for name in shown], axis=1)
        bottom = (blocks - 1 - block) * (height + _TOP)
        box = (_LEFT / total[0], bottom / total[1], picture.shape[1] / total[0], height / total[1])
        axes = figure.add_axes(box)
        axes.imshow(picture, interpolation="nearest", aspect="auto")
        axes.xaxis.tick_top()
        middles = [(i + 0.5) * column for i in range(len(shown))]
        axes.set_xticks(middles, shown, rotation=45, ha="left", rotation_mode="anchor", fontsize=9)
        axes.set_yticks([(i + 0.5) * height / len(rows) for i in range(len(rows))], rows, fontsize=9)
        axes.tick_params(length=0)
        axes.set_frame_on(False)
    return figure


def _strip(images: UInt8Array) -> UInt8Array:
    """Put ``[N, V, S, S, 3]`` below each other, views side by side, white in between; uint8 ``[H, W,
    3]``."""
    size = images.shape[2]
    edge = size * max(1, _CELL // size) if size < _CELL else size // (size // _CELL)
    rows = []
    for sample in images:
        views = [cv2.resize(view, (edge, edge), interpolation=cv2.INTER_AREA) for view in sample]
        padded = [np.pad(v, ((0, _GAP), (0, _VIEW_GAP), (0, 0)), constant_values=255) for v in views]
        rows.append(np.concatenate(padded, axis=1))
    strip = np.concatenate(rows, axis=0)
    whole: UInt8Array = np.pad(strip, ((0, 0), (0, _GAP), (0, 0)), constant_values=255)
    return whole
