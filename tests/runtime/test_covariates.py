"""Covariates on the device: from profile, command line and table to the reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from analyte.contract.bundle import open_bundle
from analyte.contract.covariates import CategoricalCovariate, CovariateSpec, NumericCovariate
from analyte.contract.errors import AnalyteError, InputError, IntegrityError, ProfileError, SettingsError
from analyte.contract.reading import Flag, Reason
from analyte.runtime.commands.read import command
from analyte.runtime.selftest import candidates, quick_check, run_selftest
from runtime.conftest import Analyte
from runtime.test_pipeline import one_colour, open_pipeline
from runtime.tiny_bundles import (
    HALF_WIDTH,
    File,
    edit_manifest,
    onnx_model,
    value_of,
    write_bundle,
    write_picture,
    write_profile,
)

SPEC = CovariateSpec(
    numeric=(NumericCovariate(name="temperature", range=(10.0, 30.0)),),
    categorical=(CategoricalCovariate(name="lot", categories=("A", "B")),),
)
COLOUR = (0, 0, 100)


def expected(temperature: float, lot: str, colour: tuple[int, int, int] = COLOUR) -> float:
    return value_of(colour) + 0.1 * temperature + 0.2 * "AB".index(lot)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that takes a number and a category. Not to be altered."""
    file = File("onnx", "onnx", onnx_model(1, covariates=2))
    return write_bundle(tmp_path_factory.mktemp("b") / "beside.analyte", [file], covariates=SPEC)


class TestPipeline:
    """Frames and covariates to readings."""

    def test_of_the_sample(self, bundle: Path) -> None:
        pipeline = open_pipeline(bundle)
        for temperature, lot in ((20.0, "B"), (25.0, "A")):
            reading = pipeline.measure(one_colour(COLOUR), {"lot": lot, "temperature": temperature})
            assert reading.value == pytest.approx(expected(temperature, lot), abs=1e-4)
            assert reading.covariates == {"temperature": temperature, "lot": lot}
            assert json.loads(reading.to_json())["covariates"] == reading.covariates
            assert (reading.flags, reading.detail) == ((), "")

    def test_of_the_settings(self, bundle: Path) -> None:
        pipeline = open_pipeline(bundle, covariates={"temperature": 20.0, "lot": "A"})
        assert pipeline.measure(one_colour(COLOUR)).value == pytest.approx(expected(20.0, "A"), abs=1e-4)
        colder = pipeline.measure(one_colour(COLOUR), {"temperature": 12.0})
        assert colder.value == pytest.approx(expected(12.0, "A"), abs=1e-4)
        # What was given for one reading is gone with it.
        assert pipeline.measure(one_colour(COLOUR)).covariates == {"temperature": 20.0, "lot": "A"}

    @pytest.mark.parametrize(
        ("covariates", "says"),
        [
            ({"temperature": 20.0}, "lot is missing"),
            ({"temperature": 20.0, "lot": "C"}, "expected lot as in training: A, B; got 'C'"),
            ({"temperature": 33.0, "lot": "A"}, "expected temperature within 10 to 30"),
            ({"temperature": float("nan"), "lot": "A"}, "expected temperature within 10 to 30"),
        ],
    )
    def test_refused(self, bundle: Path, covariates: dict[str, Any], says: str) -> None:
        reading = open_pipeline(bundle).measure(one_colour(COLOUR), covariates)
        assert (reading.refused, reading.reason, reading.value) == (True, Reason.COVARIATE, None)
        assert says in reading.detail
        assert reading.frame_sha256
        assert json.loads(reading.to_json())["covariates"].keys() == covariates.keys()

    def test_a_little_outside_is_flagged(self, bundle: Path) -> None:
        pipeline = open_pipeline(bundle)
        reading = pipeline.measure(one_colour(COLOUR), {"temperature": 31.0, "lot": "A"})
        assert reading.value == pytest.approx(expected(31.0, "A"), abs=1e-4)
        assert reading.flags == (Flag.COVARIATE_OUT_OF_RANGE,)
        assert "temperature within 10 to 30, as in training; got 31" in reading.detail
        both = pipeline.measure(one_colour((0, 0, 248)), {"temperature": 31.0, "lot": "A"})
        assert 100.0 < expected(31.0, "A", (0, 0, 248)) < 100.0 + HALF_WIDTH
        assert both.flags == (Flag.OUT_OF_RANGE, Flag.COVARIATE_OUT_OF_RANGE)
        assert "0 to 100 mg/L" in both.detail
        assert "temperature" in both.detail

    def test_a_refused_value_says_only_why(self, bundle: Path) -> None:
        reading = open_pipeline(bundle).measure(one_colour((0, 0, 255)), {"temperature": 31.0, "lot": "B"})
        assert (reading.reason, reading.flags) == (Reason.OUT_OF_RANGE, ())
        assert "temperature" not in reading.detail


def test_graph_that_takes_other_covariates_than_its_manifest_says(bundle: Path, tmp_path: Path) -> None:
    file = File("onnx", "onnx", onnx_model(1, covariates=1))
    path = write_bundle(tmp_path / "b.analyte", [file], covariates=SPEC)
    with pytest.raises(IntegrityError, match=r"2 covariates; got .* 1 covariates"):
        open_pipeline(path)


class TestSelftest:
    """The golden set has covariates of its own."""

    def test_passes(self, bundle: Path) -> None:
        opened = open_bundle(bundle)
        results = run_selftest(opened, candidates(opened, None, (), print), print, skip_unavailable=False)
        assert [result.passed for result in results] == [True, True]

    def test_quick(self, bundle: Path, tmp_path: Path) -> None:
        opened = open_bundle(bundle)
        (candidate,) = candidates(opened, None, (), print)
        engine = candidate.open(opened.read(candidate.artifact))
        quick_check(opened, candidate.artifact, engine)

    def test_golden_set_without_them(self, tmp_path: Path) -> None:
        path = write_bundle(tmp_path / "b.analyte", [File("onnx", "onnx", onnx_model(1, covariates=2))])
        edit_manifest(path, covariates=SPEC.model_dump(mode="json"))
        opened = open_bundle(path)
        with pytest.raises(IntegrityError, match=r"golden set does not fit.*covariates \[12, 2\]"):
            run_selftest(opened, candidates(opened, None, (), print), print, skip_unavailable=False)


def read(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])


def readings(*arguments: str | Path) -> list[dict[str, Any]]:
    result = read(*arguments, "--json")
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def refused(error: type[AnalyteError], *arguments: str | Path) -> str:
    result = read(*arguments)
    assert isinstance(result.exception, error)
    assert result.stdout == ""
    return result.exception.line()


class TestRead:
    """``analyte read``."""

    @pytest.fixture
    def pictures(self, tmp_path: Path) -> list[Path]:
        (tmp_path / "images").mkdir()
        return [write_picture(tmp_path / "images" / f"{red}.png", (0, 0, red)) for red in (20, 40)]

    def table(self, folder: Path, *rows: str, header: str = "path,value,temperature,lot") -> Path:
        path = folder / "labels.csv"
        path.write_text("\n".join([header, *rows, ""]), "utf-8")
        return path

    def test_options(self, bundle: Path, pictures: list[Path]) -> None:
        found = readings(bundle, *pictures, "--covariate", "temperature=20", "--covariate", "lot= B")
        assert [r["value"] for r in found] == pytest.approx(
            [expected(20.0, "B", (0, 0, red)) for red in (20, 40)], abs=1e-4
        )
        assert found[0]["covariates"] == {"temperature": 20.0, "lot": "B"}

    def test_table(self, bundle: Path, pictures: list[Path], tmp_path: Path) -> None:
        rows = ("images/40.png,9,25,B", "images/20.png,9,15,A", "images/other.png,,,")
        found = readings(bundle, *pictures, "--covariates", self.table(tmp_path, *rows))
        assert [r["value"] for r in found] == pytest.approx(
            [expected(15.0, "A", (0, 0, 20)), expected(25.0, "B", (0, 0, 40))], abs=1e-4
        )

    def test_table_before_option_before_profile(
        self, bundle: Path, pictures: list[Path], tmp_path: Path
    ) -> None:
        profile = write_profile(
            tmp_path / "p.toml", measure='[measure.covariates]\ntemperature = 11\nlot = "A"\n'
        )
        arguments = [bundle, *pictures, "--device", profile, "--covariate", "temperature=12"]
        assert [r["covariates"] for r in readings(*arguments)] == [{"temperature": 12.0, "lot": "A"}] * 2
        table = self.table(tmp_path, "images/20.png,13", "images/40.png,", header="path,temperature")
        found = readings(*arguments, "--covariates", table)
        assert [r["covariates"]["temperature"] for r in found] == [13.0, 12.0]

    def test_sample_that_lacks_one_is_refused_and_the_rest_go_on(
        self, bundle: Path, pictures: list[Path], tmp_path: Path
    ) -> None:
        table = self.table(tmp_path, "images/20.png,9,20,", "images/40.png,9,20,C")
        found = readings(bundle, *pictures, "--covariates", table)
        assert [r["reason"] for r in found] == ["covariate", "covariate"]
        assert [r["detail"] for r in found] == [
            "lot is missing",
            "expected lot as in training: A, B; got 'C'",
        ]

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ([], "the bundle needs covariate 'temperature'; expected temperature, lot; got none"),
            (["--covariate", "lot=A"], "needs covariate 'temperature'"),
            (["--covariate", "lot"], "not a covariate: 'lot'; expected NAME=VALUE"),
            (["--covariate", "lot="], "not a covariate: 'lot='"),
            (["--covariate", "lot=A", "--covariate", "lot=B"], "two values for covariate 'lot'"),
            (["--covariate", "humidity=5"], "there is no covariate 'humidity'; expected temperature, lot"),
            (["--covariate", "temperature=warm"], "covariate 'temperature': 'warm' is not a number"),
        ],
    )
    def test_refused(self, bundle: Path, pictures: list[Path], options: list[str], says: str) -> None:
        assert says in refused(SettingsError, bundle, *pictures, *options)

    def test_no_table(self, bundle: Path, pictures: list[Path]) -> None:
        line = refused(InputError, bundle, *pictures, "--covariates", "no.csv")
        assert "no.csv: No such file" in line

    @pytest.mark.parametrize(
        ("header", "rows", "says"),
        [
            ("path,lot", ["images/20.png,A"], "no column 'temperature'; expected path, temperature, lot"),
            ("lot,temperature", ["A,1"], "no column 'path'"),
            ("path,temperature,lot", ["images/20.png,20,A"], "no row for"),
            ("path,temperature,lot", ["images/20.png,warm,A"], "row 2: covariate 'temperature': 'warm'"),
            (
                "path,temperature,lot",
                ["images/20.png,20,A", "images/20.png,21,A"],
                "row 3: another row has other covariates for images/20.png",
            ),
            ("path,temperature,lot", ['"images'], "no CSV"),
            ("", [], "no column 'path'"),
        ],
    )
    def test_bad_table(
        self, bundle: Path, pictures: list[Path], tmp_path: Path, header: str, rows: list[str], says: str
    ) -> None:
        table = self.table(tmp_path, *rows, header=header)
        assert says in refused(InputError, bundle, *pictures, "--covariates", table)

    def test_pictures_of_one_sample_agree(self, tmp_path: Path, pictures: list[Path]) -> None:
        file = File("onnx", "onnx", onnx_model(2, covariates=2))
        bundle = write_bundle(tmp_path / "b.analyte", [file], views=("blank", "well"), covariates=SPEC)
        good = self.table(tmp_path, "images/20.png,0,20,A", "images/40.png,0,20,A")
        assert readings(bundle, *pictures, "--covariates", good)[0]["covariates"]["lot"] == "A"
        bad = self.table(tmp_path, "images/20.png,0,20,A", "images/40.png,0,20,B")
        says = refused(InputError, bundle, *pictures, "--covariates", bad)
        assert "the pictures of one sample have other covariates" in says


class TestDaemon:
    """Constants of the profile."""

    def test_in_every_reading(self, analyte: Analyte, bundle: Path, tmp_path: Path) -> None:
        (tmp_path / "frames").mkdir()
        for number in range(2):
            write_picture(tmp_path / "frames" / f"{number}.png", COLOUR)
        beside = '[measure.covariates]\ntemperature = 20\nlot = "B"\n'
        profile = write_profile(tmp_path / "p.toml", measure=beside)
        done = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", tmp_path / "frames")
        assert done.returncode == 0, done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert [r["value"] for r in found] == pytest.approx([expected(20.0, "B")] * 2, abs=1e-4)
        assert found[0]["covariates"] == {"temperature": 20.0, "lot": "B"}

    @pytest.mark.parametrize(
        ("beside", "says"),
        [
            ("", "measure.covariates: temperature is missing; lot is missing"),
            ("temperature = 20", "measure.covariates: lot is missing"),
            ('temperature = 20\nlot = "C"', "expected lot as in training: A, B; got 'C'"),
            ('temperature = 99\nlot = "A"', "expected temperature within 10 to 30"),
            ('temperature = 20\nlot = "A"\nhumidity = 5', "there is no covariate 'humidity'"),
            ('temperature = "warm"\nlot = "A"', "'warm' is not a number"),
        ],
    )
    def test_refuses_to_start(self, bundle: Path, tmp_path: Path, beside: str, says: str) -> None:
        """Where every reading would be refused anyway."""
        from analyte.runtime.daemon import DaemonOptions, prepare

        profile = write_profile(tmp_path / "p.toml", measure=f"[measure.covariates]\n{beside}\n")
        with pytest.raises(ProfileError) as caught:
            prepare(DaemonOptions(profile, bundle, "0"), print)
        assert says in caught.value.line()
        assert str(profile) in caught.value.line()


def test_values_of_the_test_bundle_move_with_each_covariate() -> None:
    values = [expected(t, lot) for t in (10.0, 20.0) for lot in "AB"]
    assert len(set(np.round(values, 6))) == 4
