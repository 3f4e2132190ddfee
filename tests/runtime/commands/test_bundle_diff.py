"""``analyte bundle diff``: what an upgrade would change, as the device would say it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analyte.contract.covariates import CovariateSpec, NumericCovariate
from analyte.contract.dataset import sample_hashes
from analyte.contract.errors import (
    AnalyteError,
    DatasetError,
    InputError,
    IntegrityError,
    ParityError,
    SettingsError,
)
from analyte.contract.labels_file import load_dataset
from analyte.runtime.commands.bundle import command
from contract.datasets import assert_one_line
from runtime.tiny_bundles import (
    HALF_WIDTH,
    File,
    edit_manifest,
    onnx_model,
    value_of,
    write_bundle,
    write_picture,
)

TOML = 'name = "d"\nanalyte = "dye"\nunit = "mg/L"\nrange = [0.0, 100.0]\n'
REDS = (20, 40, 60, 252)


def diff(*arguments: str | Path) -> str:
    result = CliRunner().invoke(command, ["diff", *map(str, arguments)])
    assert result.exit_code == 0, result
    return result.stdout


def found(*arguments: str | Path) -> dict[str, Any]:
    return json.loads(diff(*arguments, "--json"))


def refused(kind: type[AnalyteError], code: int, says: str, *arguments: str | Path) -> None:
    result = CliRunner().invoke(command, ["diff", *map(str, arguments)])
    assert isinstance(result.exception, kind), result
    assert_one_line(result.exception, code, says)
    assert result.stdout == ""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    rows = ["path,value,sample"]
    for red in REDS:
        write_picture(folder / f"{red}.png", (0, 0, red))
        rows.append(f"{red}.png,{value_of((0, 0, red)) + 1:.6f},s{red}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (folder / "dataset.toml").write_text(TOML, "utf-8")
    return folder


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A bundle that adds three times the mean of each channel."""
    from onnx import load_from_string, numpy_helper

    model = load_from_string(onnx_model(1))
    (weights,) = (entry for entry in model.graph.initializer if entry.name == "weights")
    raised = numpy_helper.to_array(weights) + 3.0
    weights.CopyFrom(numpy_helper.from_array(raised.astype("float32"), "weights"))
    folder = write_bundle(tmp_path / "o.analyte", [File("onnx", "onnx", model.SerializeToString())])
    return golden_of(folder)


def golden_of(folder: Path) -> Path:
    """Make the golden set say what the bundle's own graph says."""
    import numpy as np

    from analyte.contract.bundle import open_bundle, record_file
    from analyte.runtime.engines.registry import open_engine

    arrays = dict(np.load(folder / "golden.npz"))
    bundle = open_bundle(folder)
    engine = open_engine(bundle.read(bundle.artifact("onnx")), "onnx")
    arrays["value"] = engine.run(arrays["images"], np.zeros((len(arrays["images"]), 0), np.float32)).value
    engine.close()
    np.savez(folder / "golden.npz", **arrays)
    edit_manifest(folder, golden=record_file(folder / "golden.npz").model_dump())
    return folder


def test_equal_bundles(bundle: Path, dataset: Path) -> None:
    report = found(bundle, bundle, "--dataset", dataset)
    assert report["manifest"] == []
    assert (report["n"], report["measured"], report["unit"]) == (4, 4, "mg/L")
    assert report["difference"] == {"bias": 0, "mean": 0, "p99": 0, "max": 0}
    assert report["mae"]["a"] == report["mae"]["b"] == pytest.approx(1.0, abs=1e-4)
    assert report["refused"] == {"a_only": [], "b_only": [], "both": []}
    assert "The manifests state the same." in diff(bundle, bundle, "--dataset", dataset)


def test_what_differs(bundle: Path, other: Path, dataset: Path) -> None:
    """The other one adds three times the mean of each channel: 3 * red / 255."""
    report = found(bundle, other, "--dataset", dataset)
    expected = [3 * red / 255 for red in REDS]
    # The largest lies out of the range by more than its interval for the second bundle alone.
    assert report["refused"] == {"a_only": [], "b_only": ["s252"], "both": []}
    assert report["measured"] == 3
    assert [row["difference"] for row in report["samples"][:3]] == pytest.approx(expected[:3], abs=1e-4)
    assert report["samples"][3]["b"] is None
    assert report["samples"][3]["b_reason"] == "out_of_range"
    assert report["difference"]["bias"] == pytest.approx(sum(expected[:3]) / 3, abs=1e-4)
    assert report["difference"]["max"] == pytest.approx(expected[2], abs=1e-4)
    assert report["mae"]["n"] == 3
    assert report["mae"]["b"] == pytest.approx(sum(abs(d - 1) for d in expected[:3]) / 3, abs=1e-4)
    assert report["apart"] == []
    backwards = found(other, bundle, "--dataset", dataset)
    assert backwards["difference"]["bias"] == -report["difference"]["bias"]
    assert backwards["refused"]["a_only"] == ["s252"]


def test_intervals_that_do_not_overlap(bundle: Path, other: Path, dataset: Path, tmp_path: Path) -> None:
    edit_manifest(other, interval={"coverage": 0.95, "quantile": 0.1, "n": 100})
    narrow = Path(shutil.copytree(bundle, tmp_path / "n.analyte"))
    edit_manifest(narrow, interval={"coverage": 0.95, "quantile": 0.1, "n": 100})
    assert HALF_WIDTH / 20 * 2 < 3 * 40 / 255
    report = found(narrow, other, "--dataset", dataset)
    assert report["apart"] == ["s20", "s40", "s60"]
    assert "do not overlap: 3: s20, s40, s60." in diff(narrow, other, "--dataset", dataset)


def test_for_people(bundle: Path, other: Path, dataset: Path) -> None:
    edit_manifest(other, name="second", label={"analyte": "dye", "unit": "mg/L", "range": [0.0, 90.0]})
    lines = diff(bundle, other, "--dataset", dataset).splitlines()
    assert ["range", "0", "to", "100", "0", "to", "90"] in [line.split() for line in lines]
    assert ["name", "tiny", "second"] in [line.split() for line in lines]
    assert any("Refused by B only: 1: s252 (out_of_range)." in line for line in lines)
    start = next(n for n, line in enumerate(lines) if line.startswith("largest differences"))
    assert [line.split()[0] for line in lines[start + 1 :]] == ["s60", "s40", "s20"]


def test_errors_count_only_samples_that_are_new_to_both(bundle: Path, dataset: Path, tmp_path: Path) -> None:
    first = load_dataset(dataset).samples[0]
    trained = Path(shutil.copytree(bundle, tmp_path / "t.analyte"))
    manifest = json.loads((trained / "manifest.json").read_text("utf-8"))
    manifest["provenance"]["dataset"]["seen"] = sample_hashes([first])
    edit_manifest(trained, provenance=manifest["provenance"])
    report = found(bundle, trained, "--dataset", dataset)
    assert report["mae"]["n"] == 3
    assert [row["seen"] for row in report["samples"]] == [True, False, False, False]
    manifest["provenance"]["dataset"]["seen"] = sample_hashes(load_dataset(dataset).samples)
    edit_manifest(trained, provenance=manifest["provenance"])
    assert found(trained, bundle, "--dataset", dataset)["mae"] is None
    assert "No MAE" in diff(trained, bundle, "--dataset", dataset)


def test_where_both_refuse_all_nothing_is_said_of_training(bundle: Path, other: Path, dataset: Path) -> None:
    for picture in dataset.glob("*.png"):
        picture.write_bytes(b"damaged")
    said = diff(bundle, other, "--dataset", dataset)
    assert "no sample was measured by both" in said
    assert "trained" not in said


def test_pictures_that_cannot_be_measured_are_refused(bundle: Path, other: Path, dataset: Path) -> None:
    (dataset / "20.png").write_bytes(b"damaged")
    report = found(bundle, other, "--dataset", dataset)
    assert report["refused"]["both"] == ["s20"]
    assert report["samples"][0]["a_reason"] == "bad_frame"


def test_regions_and_views(two_view_bundle: Path, tmp_path: Path) -> None:
    """Views are regions of one photograph: the values are those of the regions."""
    import cv2
    import numpy as np

    photograph = np.zeros((40, 80, 3), np.uint8)
    photograph[:, :40] = (0, 0, 200)
    photograph[:, 40:] = (0, 0, 100)
    cv2.imwrite(str(tmp_path / "p.png"), photograph)
    (tmp_path / "labels.csv").write_text(
        "path,value,sample,view,x,y,w,h\np.png,1,s,reference,0,0,40,40\np.png,1,s,sample,40,0,40,40\n",
        "utf-8",
    )
    (tmp_path / "dataset.toml").write_text(f'{TOML}views = ["reference", "sample"]\n', "utf-8")
    (row,) = found(two_view_bundle, two_view_bundle, "--dataset", tmp_path)["samples"]
    assert row["a"] == pytest.approx(100 * 200 / 255 + 0.1 * 100 / 255, abs=1e-3)


def test_covariates(dataset: Path, tmp_path: Path) -> None:
    spec = CovariateSpec(numeric=(NumericCovariate(name="t", range=(0.0, 9.0)),))
    files = [File("onnx", "onnx", onnx_model(1, covariates=1))]
    takes = write_bundle(tmp_path / "c.analyte", files, covariates=spec)
    plain = write_bundle(tmp_path / "p.analyte", [File("onnx", "onnx", onnx_model(1))])
    labels = (dataset / "labels.csv").read_text("utf-8").splitlines()
    (dataset / "labels.csv").write_text(
        "\n".join([f"{labels[0]},t", *(f"{line},5" for line in labels[1:])]), "utf-8"
    )
    (dataset / "dataset.toml").write_text(f'{TOML}covariates = ["t"]\n', "utf-8")
    report = found(plain, takes, "--dataset", dataset)
    assert report["difference"]["bias"] == pytest.approx(0.5, abs=1e-4)
    assert {"name": "covariates", "a": "none", "b": "t"} in report["manifest"]
    (dataset / "dataset.toml").write_text(TOML, "utf-8")
    refused(DatasetError, 3, "takes the covariate 't', which the dataset", plain, takes, "--dataset", dataset)


class TestRefused:
    @pytest.mark.parametrize("label", [{"unit": "g/L"}, {}])
    def test_other_unit_or_views(
        self, bundle: Path, two_view_bundle: Path, dataset: Path, tmp_path: Path, label: dict[str, str]
    ) -> None:
        second = two_view_bundle
        if label:
            second = Path(shutil.copytree(bundle, tmp_path / "u.analyte"))
            edit_manifest(second, label={"analyte": "dye", "unit": "g/L", "range": [0.0, 100.0]})
        refused(InputError, 3, "do not measure the same", bundle, second, "--dataset", dataset)

    def test_dataset_that_does_not_fit(self, bundle: Path, dataset: Path) -> None:
        (dataset / "dataset.toml").write_text(TOML.replace("mg/L", "g/L"), "utf-8")
        refused(
            DatasetError,
            3,
            "the dataset does not fit the bundle; expected",
            bundle,
            bundle,
            "--dataset",
            dataset,
        )

    def test_damage(self, bundle: Path, dataset: Path, tmp_path: Path) -> None:
        damaged = Path(shutil.copytree(bundle, tmp_path / "d.analyte"))
        (damaged / "report.html").write_bytes(b"other")
        refused(IntegrityError, 7, "report.html", bundle, damaged, "--dataset", dataset)

    def test_a_bundle_that_fails_its_golden_set(self, bundle: Path, dataset: Path, tmp_path: Path) -> None:
        off = write_bundle(tmp_path / "off.analyte", [File("onnx", "onnx", onnx_model(1))], golden_error=1.0)
        refused(ParityError, 4, "self-test failed", bundle, off, "--dataset", dataset)

    def test_unknown_artifact(self, bundle: Path, dataset: Path) -> None:
        refused(
            SettingsError, 2, "no artifact 'gone'", bundle, bundle, "--dataset", dataset, "--artifact", "gone"
        )


def test_packed(bundle: Path, other: Path, dataset: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["pack", str(bundle), "-o", str(tmp_path / "a.zip")])
    assert done.exit_code == 0, done
    by_folder = found(bundle, other, "--dataset", dataset)
    by_zip = found(tmp_path / "a.zip", other, "--dataset", dataset)
    assert by_zip["samples"] == by_folder["samples"]
