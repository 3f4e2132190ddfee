"""Spectra, chemistry, optics and sensor: what the pictures must obey whatever the random numbers are."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from analyte.train.simulator.chemistry import REACTIONS
from analyte.train.simulator.config import SimulationConfig
from analyte.train.simulator.scene import (
    RIM_RADII,
    WELL_RADIUS_MM,
    Frame,
    draw_geometry,
    expose_well,
    liquid_depth_mm,
    liquid_profile,
)
from analyte.train.simulator.sensor import (
    FULL_WELL_ELECTRONS,
    READ_NOISE_ELECTRONS,
    Development,
    develop,
    digitise,
    encode_srgb,
)
from analyte.train.simulator.sessions import assign_splits_to_sessions, draw_sessions
from analyte.train.simulator.spectra import (
    CAMERAS,
    WAVELENGTHS_NM,
    camera_matrix,
    correlated_colour_temperature_kelvin,
    illuminant,
)
from analyte.train.simulator.studio import Studio

SESSION = draw_sessions(0, 3, CAMERAS[0])[0]


def test_the_griess_dye_absorbs_where_and_as_much_as_the_literature_says() -> None:
    # 46.0055 mg/L of nitrite is 1 mmol/L, diluted 50 in 52 by the reagent.
    absorption = REACTIONS["griess"].absorption_per_cm(46.0055)
    assert WAVELENGTHS_NM[absorption.argmax()] == pytest.approx(540, abs=5)
    assert absorption.max() / (1e-6 * 50 / 52) == pytest.approx(4.6e4, rel=0.02)


def test_brilliant_blue_has_its_specific_absorbance() -> None:
    # E(1 %, 1 cm) = 1630: a solution of 10 g/L absorbs 1630, so one of 10 mg/L 1.63.
    absorption = REACTIONS["brilliant-blue"].absorption_per_cm(10.0)
    assert absorption.max() == pytest.approx(1.63, rel=0.03)
    assert WAVELENGTHS_NM[absorption.argmax()] == pytest.approx(630, abs=5)


def test_phenol_red_is_half_dissociated_at_its_pk() -> None:
    acid, base = REACTIONS["phenol-red"].species
    assert base.concentration_mol_per_litre(8.03) == pytest.approx(acid.concentration_mol_per_litre(8.03))
    assert base.concentration_mol_per_litre(9.03) == pytest.approx(
        10 * acid.concentration_mol_per_litre(9.03)
    )


def test_the_liquid_obeys_beer_and_lambert() -> None:
    # Each wavelength is attenuated exponentially, so the logarithm of a channel is convex in concentration
    # and starts with the mean absorption that its weights give.
    reaction, geometry = REACTIONS["griess"], draw_geometry(0, 0)
    blank, little = (liquid_profile(reaction, value, SESSION, geometry)[0] for value in (0.0, 1.0))
    weights = SESSION.raw_weights() * SESSION.plate_spectrum()
    mean = (weights * reaction.absorption_per_cm(1.0)).sum(1) / weights.sum(1)
    path_cm = 0.2 * float(liquid_depth_mm(np.zeros(1), geometry)[0])
    np.testing.assert_allclose(-np.log10(little / blank), mean * path_cm, rtol=0.01)
    halves = liquid_profile(reaction, 200.0, SESSION, geometry)[0] ** 2
    assert np.all(halves <= blank * liquid_profile(reaction, 400.0, SESSION, geometry)[0])


def test_the_meniscus_keeps_the_volume_and_is_thinnest_in_the_middle() -> None:
    geometry = draw_geometry(3, 1)
    rho = (np.arange(20000) + 0.5) / 20000
    depth = liquid_depth_mm(rho, geometry)
    mean = float((2 * rho * depth).mean())  # over the area of the disc
    assert mean == pytest.approx(geometry.liquid_depth_mm, rel=1e-6)
    assert np.all(np.diff(depth) > 0)
    slope_at_wall = (depth[-1] - depth[-2]) * 20000 / WELL_RADIUS_MM
    assert 0.2 < slope_at_wall < 1.2


def test_the_well_always_lies_within_the_frame() -> None:
    for index in range(300):
        geometry = draw_geometry(11, index)
        for center in (geometry.center_x, geometry.center_y):
            assert center - RIM_RADII * geometry.radius > 0.01
            assert center + RIM_RADII * geometry.radius < 0.99


def test_a_quarter_turn_of_the_scene_turns_the_picture() -> None:
    geometry = replace(draw_geometry(0, 0), center_x=0.5, center_y=0.5)
    profile = liquid_profile(REACTIONS["griess"], 200.0, SESSION, geometry)
    frame = Frame.square(64)
    flat = np.zeros((64, 64))
    turned = replace(geometry, rotation_deg=geometry.rotation_deg + 90)
    first, second = (expose_well(profile, SESSION, g, frame, flat) for g in (geometry, turned))
    assert np.abs(first - second).max() > 0.05
    np.testing.assert_allclose(np.rot90(first, -1, axes=(1, 2)), second, atol=1e-9)


def test_light_and_camera_are_the_published_ones() -> None:
    for name, kelvin in (("LED-B3", 4103), ("LED-B5", 6598), ("D65", 6504)):
        assert correlated_colour_temperature_kelvin(illuminant(name)) == pytest.approx(kelvin, rel=0.02)
    np.testing.assert_allclose(camera_matrix(CAMERAS[0]).sum(1), 1.0, atol=1e-12)


def test_reading_spectra_leaves_how_numpy_prints_alone() -> None:
    code = (
        "import numpy as np; from analyte.train.simulator.spectra import illuminant; "
        "before = np.get_printoptions(); illuminant('LED-B3'); assert np.get_printoptions() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_neutral_patch_is_grey_under_an_exact_balance() -> None:
    studio = Studio(SimulationConfig(samples=1, size_px=64))
    for session in studio.sessions[:3]:
        red, blue = session.white_balance_error
        gains = session.white_balance_gains
        exact = replace(session, white_balance_gains=(gains[0] / red, 1.0, gains[2] / blue))
        white = exact.raw_weights().sum(1) * np.asarray(exact.white_balance_gains)
        np.testing.assert_allclose(camera_matrix(session.camera) @ white, white[1], rtol=1e-9)
        assert white[1] == pytest.approx(0.80 * session.exposure_gain)  # below full scale: no clipping


def test_the_noise_is_shot_and_read_noise() -> None:
    electrons = np.repeat(np.array([0.0, 100.0, 2000.0]), 40_000).reshape(3, -1)
    raw = digitise(electrons, np.random.default_rng(0))
    step = FULL_WELL_ELECTRONS / (4095 - 64)
    measured = (raw * step).std(axis=1)
    expected = np.sqrt([count + READ_NOISE_ELECTRONS**2 + step**2 / 12 for count in (0.0, 100.0, 2000.0)])
    np.testing.assert_allclose(measured, expected, rtol=0.02)
    assert raw.min() >= 0
    assert digitise(np.full((3, 4), 2 * FULL_WELL_ELECTRONS), np.random.default_rng(0)).max() == 4095


def test_every_photograph_has_its_own_noise() -> None:
    studio = Studio(SimulationConfig(samples=3, size_px=64))
    residuals = []
    for index in range(3):
        specimen = studio.specimen(index)
        raw = studio.expected_electrons(specimen) * ((4095 - 64) / FULL_WELL_ELECTRONS) + 64
        clean = develop(raw, Development.of(specimen.session)).astype(np.float64)
        residuals.append((studio.photograph(specimen) - clean).ravel())
    correlation = np.corrcoef(residuals) - np.eye(3)
    assert np.abs(correlation).max() < 0.1
    assert min(residual.std() for residual in residuals) > 0.5


def test_development_is_white_balance_matrix_and_srgb() -> None:
    matrix = np.array([[1.5, -0.4, -0.1], [-0.2, 1.4, -0.2], [0.1, -0.6, 1.5]])
    fractions = np.array([0.3, 0.5, 0.2])
    raw = np.rint(fractions * (4095 - 64)) + 64
    picture = develop(raw.reshape(3, 1, 1), Development(matrix))
    linear = matrix @ ((raw - 64) / (4095 - 64))
    np.testing.assert_allclose(picture[0, 0, ::-1], np.clip(encode_srgb(linear), 0, 1) * 255, atol=0.51)
    assert encode_srgb(np.array([0.5]))[0] == pytest.approx(0.735357, abs=1e-6)  # IEC 61966-2-1


@pytest.mark.parametrize("count", [3, 4, 5, 9, 12, 30])
def test_whole_sessions_are_held_back(count: int) -> None:
    splits = assign_splits_to_sessions(count)
    held = max(1, round(count / 6))
    assert (splits.count("val"), splits.count("test")) == (held, held)
    assert splits.count("train") == count - 2 * held


def test_too_few_sessions_leave_the_split_to_the_reader() -> None:
    assert assign_splits_to_sessions(2) == (None, None)


@pytest.mark.parametrize("reaction", sorted(REACTIONS))
def test_every_reaction_shows_its_value_all_over_its_range(reaction: str) -> None:
    config = SimulationConfig(samples=1, reaction=reaction, size_px=48)
    studio = Studio(config)
    specimen = studio.specimen(0)
    low, high = config.label.range
    means = [
        studio.expected_electrons(specimen, value=float(value)).mean((1, 2))
        for value in np.linspace(low, high, 5)
    ]
    steps = np.abs(np.diff(np.stack(means), axis=0)).max(1)
    assert np.all(steps > 20 * math.sqrt(FULL_WELL_ELECTRONS) / 48)
