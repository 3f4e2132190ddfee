"""Writing a simulated study as a dataset folder, with the truth behind every picture beside it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analyte.contract.output import staged_folder
from analyte.train.simulator import scene, sensor, spectra
from analyte.train.simulator.chemistry import Reaction
from analyte.train.simulator.config import SimulationConfig
from analyte.train.simulator.noise_floor import noise_floor
from analyte.train.simulator.sensor import encode_jpeg
from analyte.train.simulator.sessions import Session
from analyte.train.simulator.studio import Specimen, Studio

Progress = Callable[[int, int], None]
"""Called with the samples done and the samples in all."""


TRUTH_FILE = "truth.json"


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What was written."""

    path: Path
    samples: int
    photographs: int
    unit: str
    range: tuple[float, float]
    """Lowest and highest value simulated, in ``unit``."""
    noise_floor: float
    """Error of the ideal observer, RMSE in ``unit``: see `noise_floor`."""
    splits: dict[str, int]
    """Samples in train, val and test; ``unassigned`` where there are fewer than three sessions."""


def write_dataset(
    out: Path, config: SimulationConfig, *, overwrite: bool = False, progress: Progress | None = None
) -> SimulationResult:
    """Photograph every specimen of ``config`` and write the folder ``out``.

    ``labels.csv`` and ``dataset.toml`` are the dataset format; ``truth.json`` holds reaction, camera,
    constants and sessions, ``truth.csv`` each sample's geometry. Units are in the names of keys and columns.
    Raises: OutputError when ``out`` exists without ``overwrite``, or cannot be written; nothing is left then.
    """
    studio = Studio(config)
    with staged_folder(out, overwrite=overwrite, marker=TRUTH_FILE) as folder:
        floor = noise_floor(studio)
        specimens: list[Specimen] = []
        (folder / "images").mkdir()
        for index in range(config.samples):
            specimen = studio.specimen(index)
            _write_photographs(folder, studio, specimen)
            specimens.append(specimen)
            if progress is not None:
                progress(index + 1, config.samples)
        _write_table(folder / "labels.csv", _label_rows(config, specimens))
        _write_table(folder / "truth.csv", (_truth_row(specimen, config) for specimen in specimens))
        (folder / "dataset.toml").write_text(_dataset_toml(config, floor), "utf-8")
        truth = json.dumps(_truth(studio, floor), indent=2)
        (folder / TRUTH_FILE).write_text(truth + "\n", "utf-8")
    splits = Counter(specimen.session.split or "unassigned" for specimen in specimens)
    return SimulationResult(
        path=out,
        samples=config.samples,
        photographs=config.samples * len(config.views),
        unit=config.label.unit,
        range=config.label.range,
        noise_floor=floor,
        splits=dict(sorted(splits.items())),
    )


def _write_photographs(folder: Path, studio: Studio, specimen: Specimen) -> None:
    quality = studio.config.jpeg_quality
    for view in studio.config.views:
        picture = studio.photograph(specimen) if view == "sample" else studio.photograph_reference(specimen)
        (folder / _path(specimen, view)).write_bytes(encode_jpeg(picture, quality))


def _path(specimen: Specimen, view: str) -> str:
    return f"images/{specimen.name}.jpg" if view == "sample" else f"images/{specimen.name}-{view}.jpg"


def _label_rows(config: SimulationConfig, specimens: Iterable[Specimen]) -> Iterable[dict[str, Any]]:
    for specimen in specimens:
        for view in config.views:
            yield {
                "path": _path(specimen, view),
                "value": f"{specimen.value:.9g}",
                "sample": specimen.name,
                "view": view,
                "group": specimen.group,
                "session": specimen.session.name,
                "split": specimen.session.split or "",
            }


def _truth_row(specimen: Specimen, config: SimulationConfig) -> dict[str, Any]:
    geometry = specimen.geometry
    return {
        "sample": specimen.name,
        f"value_{unit_key(config.label.unit)}": f"{specimen.value:.9g}",
        "session": specimen.session.name,
        "center_x_px": f"{geometry.center_x * config.size_px:.4f}",
        "center_y_px": f"{geometry.center_y * config.size_px:.4f}",
        "radius_px": f"{geometry.radius * config.size_px:.4f}",
        "rotation_deg": f"{geometry.rotation_deg:.4f}",
        "liquid_depth_mm": f"{geometry.liquid_depth_mm:.6f}",
        "mean_path_cm": f"{geometry.liquid_depth_mm * 0.2:.6f}",
        "meniscus_rise_mm": f"{geometry.meniscus_rise_mm:.6f}",
        "relative_light": f"{geometry.light:.6f}",
    }


def _write_table(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer: csv.DictWriter[str] | None = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(file, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)


def _dataset_toml(config: SimulationConfig, floor: float) -> str:
    # Strings of JSON and arrays of strings and numbers are TOML as well.
    low, high = config.label.range
    entries = {
        "name": json.dumps(f"simulated-{config.reaction}"),
        "analyte": json.dumps(config.label.analyte),
        "unit": json.dumps(config.label.unit),
        "range": json.dumps([float(low), float(high)]),
        "views": json.dumps(list(config.views)),
        "rotation_invariant": "true",
        "licence": json.dumps("CC0-1.0"),
        "noise_floor": repr(float(f"{floor:.6g}")),
    }
    return "".join(f"{key} = {value}\n" for key, value in entries.items())


def _truth(studio: Studio, floor: float) -> dict[str, Any]:
    """The parameters behind the pictures, as JSON values."""
    config = studio.config
    unit = unit_key(config.label.unit)
    return {
        "config": asdict(config),
        f"noise_floor_rmse_{unit}": float(f"{floor:.6g}"),
        "noise_floor_includes_jpeg": False,
        "reaction": _reaction_truth(studio.reaction, config),
        "scene": {
            "well_radius_mm": scene.WELL_RADIUS_MM,
            "liquid_depth_mm": scene.LIQUID_DEPTH_MM,
            "liquid_depth_relative_sd": scene.DEPTH_SPREAD,
            "nominal_path_cm": scene.LIQUID_DEPTH_MM * 0.2,
            "passes_through_liquid": 2,
            "capillary_length_mm": scene.CAPILLARY_LENGTH_MM,
            "surface_reflectance": scene.SURFACE_REFLECTANCE,
            "reference_reflectance": scene.REFERENCE_REFLECTANCE,
        },
        "camera": {
            "sensitivities": config.camera,
            "full_well_electrons": sensor.FULL_WELL_ELECTRONS,
            "read_noise_electrons": sensor.READ_NOISE_ELECTRONS,
            "raw_maximum": sensor.RAW_MAXIMUM,
            "black_level": sensor.BLACK_LEVEL,
            "matrix_to_linear_srgb": spectra.camera_matrix(config.camera).tolist(),
        },
        "light": {"warm": spectra.WARM_LIGHT, "cool": spectra.COOL_LIGHT},
        "sessions": [_session_truth(session) for session in studio.sessions],
    }


def _reaction_truth(reaction: Reaction, config: SimulationConfig) -> dict[str, Any]:
    low, high = config.label.range
    unit = unit_key(config.label.unit)
    path_cm = scene.LIQUID_DEPTH_MM * 0.2
    return {
        "name": reaction.name,
        "analyte": reaction.label.analyte,
        "source": reaction.source,
        "species": [
            {
                "name": species.name,
                "bands": [asdict(band) for band in species.bands],
                f"mol_per_litre_at_{low:g}_{unit}": species.concentration_mol_per_litre(low),
                f"mol_per_litre_at_{high:g}_{unit}": species.concentration_mol_per_litre(high),
            }
            for species in reaction.species
        ],
        "peak_absorbance_at_low": round(float(reaction.absorption_per_cm(low).max()) * path_cm, 6),
        "peak_absorbance_at_high": round(float(reaction.absorption_per_cm(high).max()) * path_cm, 6),
    }


def _session_truth(session: Session) -> dict[str, Any]:
    return {"name": session.name, **asdict(session)}


def unit_key(unit: str) -> str:
    """Return a unit as part of a key: ``ug/L`` becomes ``ug_per_L``."""
    return unit.replace("/", "_per_").replace(" ", "_")
