"""What colour correction removes of a change of light, what it makes of real charts, and what it costs.

    python benchmarks/colour_correction.py light [--json]
    python benchmarks/colour_correction.py charts ../shared/data/colour_charts [--overlays FOLDER]
    python benchmarks/colour_correction.py timing [--json]

``light``: one simulated well beside a white patch and a ColorChecker Classic made of measured reflectances
(N. Ohta's, from colour-science), with the camera's settings locked in daylight (D65) and the light then mixed
with tungsten (illuminant A). The error is what the change alone does to the same specimens: to the linear
light of the well's middle, and to what a calibration curve that was fitted in daylight reads.
``charts``: photographs as they are; PNG with transparent margins are flattened first.
"""

from __future__ import annotations

import json
import tempfile
import timeit
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import click
import cv2
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.calibration_curve import fit_baseline
from analyte.contract.colour_calibration import ColourCalibration, Maps, WhitePatch, load_calibration
from analyte.contract.colour_calibration import save_calibration as save
from analyte.contract.errors import AnalyteError
from analyte.contract.preprocessing import Box, PreprocessingSpec, preprocess
from analyte.runtime.colour.calibrating import Wanted, calibrate, overlay
from analyte.runtime.colour.corrector import CalibratedColour
from analyte.runtime.colour.srgb import to_linear
from analyte.runtime.tables import format_table
from analyte.train.simulator.config import SimulationConfig
from analyte.train.simulator.scene import REFERENCE_REFLECTANCE, Frame
from analyte.train.simulator.seeds import NOISE, generator
from analyte.train.simulator.sensor import Development, develop, digitise, mean_electrons
from analyte.train.simulator.sessions import Session
from analyte.train.simulator.spectra import WAVELENGTHS_NM, camera_sensitivities, illuminant
from analyte.train.simulator.studio import Studio

SPECIMENS = 40
SIZE_PX = 64
FRAME = Frame(480, 720, 20, 40, 400)
WELL = Box(x=20, y=40, w=400, h=400)
WHITE = Box(x=450, y=30, w=60, h=60)
CHART_LEFT, CHART_TOP, STEP_PX = 450, 140, 40
EXPOSURE = 0.4
"""Relative to the simulator's: the red of tungsten light must not clip with the camera balanced for
daylight."""
SHARES = (0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class LitSession(Session):
    """A session under daylight that is mixed with tungsten light."""

    tungsten: float = 0.0

    def light(self) -> Float64Array:
        return (1.0 - self.tungsten) * illuminant("D65") + self.tungsten * illuminant("A")

    def raw_weights(self) -> Float64Array:
        # The exposure is locked in daylight: it must not follow the light.
        sensitivities = camera_sensitivities(self.camera)
        green = float((sensitivities[1] * illuminant("D65")).sum())
        return np.asarray(sensitivities * self.light() * (0.8 * self.exposure_gain / green), np.float64)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    pass


@main.command()
@click.option("--specimens", default=SPECIMENS, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def light(specimens: int, as_json: bool) -> None:
    studio = Studio(SimulationConfig(samples=specimens, sessions=3, size_px=FRAME.size))
    subjects = [studio.specimen(index) for index in range(specimens)]
    values = np.array([subject.value for subject in subjects])
    groups = [subject.group for subject in subjects]
    day = photographs(studio, specimens, 0.0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        calibrations = {0.0: made(day[0], Path(folder))}
        for share in SHARES:
            now = photographs(studio, specimens, share)
            calibrations[share] = made(now[0], Path(folder))
            first: tuple[float, float] | None = None
            for method in ("none", "white", "chart", "white+chart"):
                before = corrected(day, method, calibrations[0.0])
                # A chart is calibrated anew in the new light; the white patch follows it by itself.
                after = corrected(now, method, calibrations[share if method == "chart" else 0.0])
                curve = fit_baseline(before[:, np.newaxis], values, groups)
                pixels = float(np.mean((middle(after) - middle(before)) ** 2))
                there, here = curve.predict(after[:, np.newaxis]), curve.predict(before[:, np.newaxis])
                said = float(np.mean((there - here) ** 2))
                first = first or (pixels, said)
                rows.append(
                    {
                        "tungsten": share,
                        "method": method,
                        "pixel_mse": pixels,
                        "pixel_removed": 1.0 - pixels / first[0],
                        "value_rmse": said**0.5,
                        "value_removed": 1.0 - said / first[1],
                        "daylight_mae": float(np.mean(np.abs(here - values))),
                        "mae": float(np.mean(np.abs(there - values))),
                    }
                )
    if as_json:
        print(json.dumps({"unit": studio.reaction.label.unit, "results": rows}, indent=2))
        return
    header = (
        "tungsten", "correction", "MSE of pixels", "removed, %", "RMSE of value, ug/L", "removed, %",
        "MAE in daylight, ug/L", "MAE, ug/L",
    )  # fmt: skip
    table = [
        (
            f"{100 * r['tungsten']:.0f} %", str(r["method"]), f"{r['pixel_mse']:.2e}",
            f"{100 * r['pixel_removed']:.1f}", f"{r['value_rmse']:.1f}",
            f"{100 * r['value_removed']:.1f}",
            f"{r['daylight_mae']:.1f}", f"{r['mae']:.1f}",
        )
        for r in rows
    ]  # fmt: skip
    print(format_table(header, table, right=frozenset(range(2, 8))))


def photographs(studio: Studio, count: int, tungsten: float) -> list[UInt8Array]:
    """Frames, BGR, of the same specimens, chart and patch in another light; noise is drawn anew."""
    return [photograph(studio, index, tungsten) for index in range(count)]


def photograph(studio: Studio, index: int, tungsten: float) -> UInt8Array:
    specimen = studio.specimen(index)
    own = {field.name: getattr(specimen.session, field.name) for field in fields(Session)}
    # Locked in daylight.
    red, green, blue = (camera_sensitivities(studio.config.camera) * illuminant("D65")).sum(1)
    session = LitSession(
        **{
            **own,
            "exposure_gain": EXPOSURE,
            "white_balance_gains": (green / red, 1.0, green / blue),
            "tungsten": tungsten,
        }
    )
    lit = type(specimen)(specimen.index, specimen.value, specimen.group, session, specimen.geometry)
    electrons = studio.expected_electrons(lit, frame=FRAME)
    weights = session.raw_weights()
    rows, columns = slice(WHITE.y, WHITE.y + WHITE.h), slice(WHITE.x, WHITE.x + WHITE.w)
    white = mean_electrons(weights.sum(1) * REFERENCE_REFLECTANCE * specimen.geometry.light)
    electrons[:, rows, columns] = white[:, np.newaxis, np.newaxis]
    place_chart(electrons, weights * specimen.geometry.light)
    noise = generator(studio.config.seed + round(1000 * tungsten), NOISE, index)
    return develop(digitise(electrons, noise), Development.of(session))


def place_chart(electrons: Float64Array, weights: Float64Array) -> None:
    """A ColorChecker of flat patches on black card."""
    top, left, step = CHART_TOP, CHART_LEFT, STEP_PX
    card = mean_electrons(weights.sum(1) * 0.03)[:, np.newaxis, np.newaxis]
    electrons[:, top - 12 : top + 4 * step + 12, left - 12 : left + 6 * step + 12] = card
    gap = step // 10
    for index, reflectance in enumerate(patch_reflectances()):
        y, x = top + index // 6 * step, left + index % 6 * step
        signal = mean_electrons(weights @ reflectance)[:, np.newaxis, np.newaxis]
        electrons[:, y + gap // 2 : y + step - gap // 2, x + gap // 2 : x + step - gap // 2] = signal


def patch_reflectances() -> Float64Array:
    """Reflectance of the patches, ``[24, 61]``, 0 to 1."""
    import colour

    patches = colour.SDS_COLOURCHECKERS["ColorChecker N Ohta"].values()
    return np.stack([np.interp(WAVELENGTHS_NM, p.wavelengths, p.values) for p in patches])


def made(frame: UInt8Array, folder: Path) -> ColourCalibration:
    """A calibration of chart and white patch from one frame, through its file as on a device."""
    photo, out = folder / "photo.png", folder / "colour.json"
    cv2.imwrite(str(photo), frame)
    wanted = Wanted("classic", None, WHITE, (), (), 30.0, 10.0)
    save(out, calibrate([photo], wanted).calibration, overwrite=True)
    return load_calibration(out)[0]


def corrected(frames: Sequence[UInt8Array], method: str, calibration: ColourCalibration) -> UInt8Array:
    spec = PreprocessingSpec(size=SIZE_PX)
    pictures = np.stack([preprocess(frame, spec, WELL) for frame in frames])
    if method == "none":
        return pictures
    used = calibration if "chart" in method else calibration.model_copy(update={"chart": None})
    white = WHITE if "white" in method else None
    corrector = CalibratedColour(used, Maps(None, None), white=white, max_age_days=1.0)
    for frame, picture in zip(frames, pictures, strict=True):
        corrector.correct(frame, [WELL], picture[np.newaxis])
    return pictures


def middle(pictures: UInt8Array) -> Float64Array:
    """Linear light of the middle quarter of each picture."""
    inner = slice(SIZE_PX // 4, SIZE_PX - SIZE_PX // 4)
    return np.stack([to_linear(np.ascontiguousarray(p[inner, inner])) for p in pictures]).astype(np.float64)


@main.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--overlays", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True)
def charts(folder: Path, overlays: Path | None, as_json: bool) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for file in sorted((folder / "images").iterdir()):
            flat = Path(scratch) / f"{file.stem}.png"
            picture = np.asarray(cv2.imread(str(file)), np.uint8)
            cv2.imwrite(str(flat), picture)
            row: dict[str, object] = {"picture": file.name, "result": "corrected", "reason": ""}
            try:
                got = calibrate([flat], Wanted("classic", None, None, (), (), 30.0, 5.0))
            except AnalyteError as error:
                row |= {"result": "refused", "reason": reason_of(error)}
            else:
                part = got.calibration.chart
                assert part is not None
                assert got.measured is not None
                assert got.fit is not None
                row |= {"model": part.model, "patches": 24 - sum(part.clipped)}
                for name in ("before", "after", "left_out"):
                    row[name] = getattr(part, name).model_dump()
                if overlays is not None:
                    overlays.mkdir(parents=True, exist_ok=True)
                    drawn = overlay(picture, got.measured, got.fit)
                    cv2.imwrite(str(overlays / f"{file.stem}.png"), drawn)
            rows.append(row)
    if as_json:
        print(json.dumps({"results": rows}, indent=2))
        return
    header = ("picture", "model", "patches", "before", "after", "left out", "refused because")
    print(format_table(header, [chart_row(row) for row in rows], right=frozenset({2, 3, 4, 5})))


def reason_of(error: AnalyteError) -> str:
    return error.what if error.got is None else f"{error.what} ({error.got})"


def chart_row(row: dict[str, object]) -> tuple[str, ...]:
    shown = []
    for name in ("before", "after", "left_out"):
        residual = row.get(name)
        shown.append(f"{residual['mean']:.2f} ({residual['max']:.1f})" if isinstance(residual, dict) else "")
    return (
        str(row["picture"]), str(row.get("model", "")), str(row.get("patches", "")), *shown,
        str(row["reason"]),
    )  # fmt: skip


@main.command()
@click.option("--json", "as_json", is_flag=True)
def timing(as_json: bool) -> None:
    from analyte.contract.colour_calibration import ChartFit, FieldMaps, Residual

    rng = np.random.default_rng(0)
    zero = Residual(mean=0.0, max=0.0)
    frame = rng.integers(100, 140, (480, 640, 3), np.uint8)
    white = Box(x=10, y=10, w=40, h=40)
    field = np.ones((480, 640, 3), np.float32)
    maps = Maps(0.01 * field, field)
    fields_ = FieldMaps(file="a.npz", sha256="0" * 64, width=640, height=480, dark=True, flat=True)
    models = {"linear": np.eye(3), "affine": np.eye(3, 4), "root-polynomial": np.eye(3, 6)}
    rows = []
    for model, matrix in models.items():
        chart = ChartFit.model_validate(
            {
                "chart": "classic", "corners": ((0, 0), (1, 0), (1, 1), (0, 1)), "fixed": True,
                "model": model,
                "matrix": matrix.tolist(), "patches": ((0.5, 0.5, 0.5),) * 24, "clipped": (False,) * 24,
                "before": zero, "after": zero, "left_out": zero,
            }
        )  # fmt: skip
        patch = WhitePatch(box=white, light=(0.2, 0.2, 0.2))
        for method in ("chart", "white+chart", "dark+flat+white+chart"):
            calibration = ColourCalibration(
                created_at=datetime.now(UTC), valid_days=1, chart=chart, white=patch,
                fields=fields_ if "flat" in method else None,
            )  # fmt: skip
            corrector = CalibratedColour(
                calibration, maps if "flat" in method else Maps(None, None),
                white=white if "white" in method else None, max_age_days=1,
            )  # fmt: skip
            for count, size in ((1, 16), (1, 64), (1, 224), (96, 64)):
                pictures = rng.integers(0, 256, (count, size, size, 3), np.uint8)
                boxes = [Box(x=4 * i, y=100, w=200, h=200) for i in range(count)]
                number = 5 if count > 1 else 300
                run = timeit.repeat(
                    lambda c=corrector, b=boxes, p=pictures: c.correct(frame, b, p),
                    number=number,
                    repeat=7,
                )
                row = {"model": model, "method": method, "pictures": count, "size": size}
                rows.append({**row, "us": min(run) / number * 1e6})
    if as_json:
        print(json.dumps({"results": rows}, indent=2))
        return
    table = [tuple(str(v) if not isinstance(v, float) else f"{v:.0f}" for v in r.values()) for r in rows]
    header = ("model", "method", "pictures", "edge, px", "best of 7, us")
    print(format_table(header, table, right=frozenset({2, 3, 4})))


if __name__ == "__main__":
    main()
