"""How far a run's value moves when one simulated scene is turned under the camera, all the way round.

    python benchmarks/rotation.py RUN... [--scenes 3] [--angles 72] [--seed 1000] [--reaction NAME] [--json]

Renders each scene (one concentration, one texture, the light fixed to the scene, no sensor noise) anew
at every angle: nothing is interpolated. The well lies off the middle and turns about it. Prints the
standard deviation of the value over the angles, in percent of the label's range, root mean square over
the scenes, and the largest distance from a scene's mean. Beside it the same of the photograph at 0
degrees turned by interpolation (OpenCV, bilinear, the border reflected), which blurs and shows
reflections in the corners: what a test by photographs alone would report. The views of a sample turn
together. A run that was not trained on the simulator gets the same scenes; its standard deviation then
says how steady it is, not how steady at its own specimens.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.label import LabelSpec
from analyte.contract.preprocessing import PreprocessingSpec, preprocess
from analyte.contract.run import MODEL_FILE, graph_input, load_record
from analyte.train.simulator.chemistry import REACTIONS
from analyte.train.simulator.config import SimulationConfig
from analyte.train.simulator.scene import Frame, Geometry, expose_reference, expose_well, liquid_profile
from analyte.train.simulator.seeds import REFERENCE_TEXTURE, TEXTURE, generator
from analyte.train.simulator.sensor import Development, develop, mean_electrons
from analyte.train.simulator.studio import Specimen, Studio

REFERENCE_VIEW = "reference"
_SCALE = (4096 - 1 - 64) / 8000.0
_TEXTURE = ((6, 0.006), (36, 0.004), (250, 0.005))
"""Blobs per frame and relative standard deviation: clouds, mottle and grain, as `plate_texture` has them."""
_REACH = 3
"""Blobs farther away than this, in distances between blobs, add less than exp(-9)."""


@dataclass(frozen=True, slots=True)
class Texture:
    """A surface that can be looked at from any angle: blobs at the nodes of a grid fixed to the scene."""

    layers: tuple[tuple[int, float, Float64Array], ...]
    """Blobs per frame, relative standard deviation, and the height of every blob ``[n, n]``."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Texture:
        """Draw a texture that reaches far enough beyond the frame for every angle."""
        return cls(
            tuple(
                (cells, deviation, rng.standard_normal((_nodes(cells), _nodes(cells))))
                for cells, deviation in _TEXTURE
            )
        )

    def at(self, x: Float64Array, y: Float64Array) -> Float64Array:
        """Return the relative unevenness at positions in frames from the middle, float64 of their shape."""
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
        for cells, deviation, heights in self.layers:
            columns, along_x = _blobs(np.broadcast_to(x, total.shape), cells)
            rows, along_y = _blobs(np.broadcast_to(y, total.shape), cells)
            total += deviation * np.einsum(
                "...i,...j,...ij->...",
                along_y,
                along_x,
                heights[rows[..., :, np.newaxis], columns[..., np.newaxis, :]],
                optimize=True,
            )
        return total


def turned(geometry: Geometry, degrees: float) -> Geometry:
    """Turn a scene about the middle of the frame, clockwise as seen."""
    turn = math.radians(degrees)
    dx, dy = geometry.center_x - 0.5, geometry.center_y - 0.5
    return replace(
        geometry,
        center_x=0.5 + dx * math.cos(turn) - dy * math.sin(turn),
        center_y=0.5 + dx * math.sin(turn) + dy * math.cos(turn),
        rotation_deg=geometry.rotation_deg + degrees,
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """One specimen that lies still while the camera turns above it."""

    studio: Studio
    specimen: Specimen
    textures: dict[str, Texture]
    """By view."""

    @classmethod
    def draw(cls, studio: Studio, index: int) -> Scene:
        """Draw specimen ``index`` and its surfaces."""
        streams = {"sample": TEXTURE, REFERENCE_VIEW: REFERENCE_TEXTURE}
        textures = {
            view: Texture.draw(generator(studio.config.seed, stream, index))
            for view, stream in streams.items()
        }
        return cls(studio, studio.specimen(index), textures)

    def photograph(self, view: str, degrees: float) -> UInt8Array:
        """Return the picture without sensor noise, uint8 ``[size, size, 3]``, BGR.

        ``view``: the white patch for `REFERENCE_VIEW`, the well for every other name.
        """
        frame = Frame.square(self.studio.config.size_px)
        geometry = turned(self.specimen.geometry, degrees)
        session = self.specimen.session
        x, y = (grid - 0.5 for grid in frame.grid())
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        surface = self.textures[REFERENCE_VIEW if view == REFERENCE_VIEW else "sample"]
        texture = surface.at(x * cos + y * sin, y * cos - x * sin)
        if view == REFERENCE_VIEW:
            raw = expose_reference(session, geometry, frame, texture)
        else:
            profile = liquid_profile(self.studio.reaction, self.specimen.value, session, geometry)
            raw = expose_well(profile, session, geometry, frame, texture)
        # The converter's steps without its noise: `digitise` would add the noise as well.
        numbers = np.clip(np.rint(mean_electrons(raw) * _SCALE) + 64, 0, 4095)
        return develop(numbers, Development.of(session))


def by_interpolation(picture: UInt8Array, degrees: float) -> UInt8Array:
    """Turn a picture clockwise about its middle, bilinear, the border reflected."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    moved: Any = cv2.warpAffine(
        picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(moved, np.uint8)


def pictures(
    scene: Scene, views: tuple[str, ...], spec: PreprocessingSpec, angles: Float64Array
) -> tuple[UInt8Array, UInt8Array]:
    """Return the scene at every angle, rendered and interpolated, both uint8 ``[A, V, S, S, 3]``, RGB."""
    still = {view: scene.photograph(view, 0.0) for view in set(views)}
    rendered, interpolated = (
        np.stack(
            [np.stack([preprocess(take(view, angle), spec) for view in views]) for angle in angles.tolist()]
        )
        for take in (scene.photograph, lambda view, angle: by_interpolation(still[view], angle))
    )
    return rendered, interpolated


def unsteadiness(values: Float64Array, label: LabelSpec) -> dict[str, float]:
    """Return the deviations of values ``[scenes, angles]`` from each scene's mean, in percent of the
    range."""
    away = (values - values.mean(axis=1, keepdims=True)) / label.span * 100.0
    return {"standard_deviation": float(np.sqrt(np.mean(away**2))), "max": float(np.max(np.abs(away)))}


def _nodes(cells: int) -> int:
    return 2 * (math.ceil(cells * math.sqrt(0.5)) + _REACH + 1) + 1


def _blobs(positions: Float64Array, cells: int) -> tuple[Any, Float64Array]:
    """Return the nodes near each position, and their weights, whose squares sum to one, both ``[..., 7]``."""
    scaled = positions * cells
    near = np.rint(scaled).astype(int)[..., np.newaxis] + np.arange(-_REACH, _REACH + 1)
    weights = np.exp(-((scaled[..., np.newaxis] - near) ** 2))
    return near + _nodes(cells) // 2, weights / np.sqrt((weights**2).sum(axis=-1, keepdims=True))


def _reaction_of(label: LabelSpec) -> str:
    """Return the reaction that the label names, the first one where none is named."""
    named = [name for name, reaction in REACTIONS.items() if reaction.label.analyte == label.analyte]
    return (named or list(REACTIONS))[0]


def _measure(run: Path, options: argparse.Namespace) -> dict[str, Any]:
    import keras

    record = load_record(run)
    reaction = options.reaction or _reaction_of(record.label)
    known = REACTIONS[reaction].label
    simulated = known == record.label.model_copy(update={"range": known.range})
    config = SimulationConfig(
        seed=options.seed,
        sessions=options.scenes,
        reaction=reaction,
        range=record.label.range if simulated else None,
    )
    model = keras.saving.load_model(run / MODEL_FILE, compile=False)
    angles = np.arange(options.angles) * (360.0 / options.angles)
    found: dict[str, list[Float64Array]] = {"rendered": [], "interpolated": []}
    bar = tqdm(range(options.scenes), unit="scene", desc=str(run), file=sys.stderr, disable=None, leave=False)
    for index in bar:
        scene = Scene.draw(Studio(config), index)
        turned_by = pictures(scene, record.views, record.preprocessing, angles)
        for name, images in zip(found, turned_by, strict=True):
            values = model(graph_input(images), training=False)["value"]
            found[name].append(keras.ops.convert_to_numpy(values).astype(np.float64))
    return {
        "run": str(run),
        "recipe": record.recipe,
        "reaction": reaction,
        "scenes": options.scenes,
        "angles": options.angles,
        "unit": "% of the range",
        **{name: unsteadiness(np.stack(values), record.label) for name, values in found.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--scenes", type=int, default=3, help="each of another session")
    parser.add_argument("--angles", type=int, default=72)
    parser.add_argument("--seed", type=int, default=1000, help="of the scenes; not one that was trained on")
    parser.add_argument("--reaction", choices=sorted(REACTIONS), help="default: the one that the label names")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = [_measure(run, options) for run in options.runs]
    if options.json:
        print(json.dumps({"results": results}, indent=2))
        return
    print("standard deviation (largest distance) of the value over the full circle, % of the range")
    for result in results:
        numbers = (
            f"{name} {result[name]['standard_deviation']:.3g} ({result[name]['max']:.3g})"
            for name in ("rendered", "interpolated")
        )
        print(f"{result['run']} [{result['recipe']}]: {', '.join(numbers)}")


if __name__ == "__main__":
    main()
