"""``analyte qc`` as a technician runs it: processes, files, exit codes, the store of the device."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from runtime.conftest import Analyte
from runtime.tiny_bundles import File, onnx_model, value_of, write_bundle, write_picture, write_profile

CONTROL = """
[control]
interval_h = 24
[[control.materials]]
name = "low"
target = 20.0
s = 1.0
lot = "A7"
[[control.materials]]
name = "high"
target = 60.0
s = 2.0
"""


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = write_profile(tmp_path / "device.toml")
    path.write_text(path.read_text("utf-8") + CONTROL, "utf-8")
    return path


def picture(folder: Path, value: float) -> Path:
    """Write a picture that the bundle reads as about ``value``."""
    return write_picture(folder / f"{value:g}.png", (0, 0, round(2.55 * value)))


class Qc:
    """The commands of one device."""

    def __init__(self, analyte: Analyte, folder: Path, device: Path, bundle: Path) -> None:
        self.analyte, self.folder, self.device, self.bundle = analyte, folder, device, bundle

    def __call__(self, name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        bundle = ("--bundle", self.bundle) if name in ("measure", "recalibrate") else ()
        return self.analyte("qc", name, "--device", self.device, *bundle, *arguments)

    def json(self, name: str, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
        done = self(name, *arguments, "--json")
        assert done.returncode == code, done.stderr
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    def measure(self, material: str, value: float, code: int = 0) -> dict[str, Any]:
        return self.json("measure", "--material", material, picture(self.folder, value), code=code)

    def read(self, value: float) -> dict[str, Any]:
        done = self.analyte(
            "read", self.bundle, picture(self.folder, value), "--device", self.device, "--json"
        )
        assert done.returncode == 0, done.stderr
        (reading,) = json.loads(done.stdout)
        assert isinstance(reading, dict)
        return reading


@pytest.fixture
def qc(analyte: Analyte, tmp_path: Path, device: Path, bundle: Path) -> Qc:
    return Qc(analyte, tmp_path, device, bundle)


def test_from_due_to_failed_to_released(qc: Qc, tmp_path: Path) -> None:
    assert qc.read(40)["reason"] == "control_due"
    assert not (tmp_path / "readings.sqlite").exists()  # looking makes no file
    first = qc.measure("low", 20)
    assert (first["outcome"], first["admitted"], first["reason"]) == ("accepted", False, "control_due")
    assert first["control"]["z"] == pytest.approx(0.0, abs=0.2)
    assert first["reading"]["frame_sha256"]
    qc.measure("high", 60)
    assert qc.read(40)["value"] == pytest.approx(40, abs=0.2)
    failed = qc.measure("low", 25, code=4)
    assert failed["control"]["rules"] == ["1-3s", "1-2s"]
    assert (failed["admitted"], failed["reason"]) == (False, "control_failed")
    reading = qc.read(40)
    assert (reading["value"], reading["refused"], reading["reason"]) == (None, True, "control_failed")
    # The daemon of the same store refuses as well.
    daemon = qc.analyte(
        "daemon", "--device", qc.device, "--bundle", qc.bundle, "--source", picture(tmp_path, 40)
    )
    assert json.loads(daemon.stdout)["reason"] == "control_failed"
    assert "readings are refused (control_failed): " in daemon.stderr
    assert qc("release", "--why", " ").returncode == 3
    assert qc.json("release", "--why", "new pipette", "--who", "bob")["admitted"]
    assert qc.read(40)["value"] == pytest.approx(40, abs=0.2)
    assert qc("release", "--why", "again").returncode == 3


def test_pictures_of_another_size_than_the_profile_demands(qc: Qc, tmp_path: Path) -> None:
    """A region of the profile lies elsewhere in them: they say nothing of a control or a standard."""
    qc.device.write_text(
        qc.device.read_text("utf-8").replace("[camera]", "[camera]\nwidth = 640\nheight = 480"), "utf-8"
    )
    shown = qc.measure("low", 20, code=3)
    assert (shown["outcome"], shown["reading"]["reason"]) == ("not_measured", "bad_frame")
    assert shown["reading"]["detail"].endswith("expected 640x480; got 64x48")
    standard = qc("recalibrate", "--method", "offset", "--standard", f"20={picture(tmp_path, 20)}")
    assert standard.returncode == 3, standard.stdout


def test_in_words(qc: Qc, tmp_path: Path) -> None:
    done = qc("measure", "--material", "low", picture(tmp_path, 23.5), "--who", "ann")
    assert done.returncode == 4
    assert "target 20, s 1: z = +3.53" in done.stdout
    assert "broken: 1-3s (+3.53 s)" in done.stdout
    assert "FAILED" in done.stdout
    status = qc("status")
    assert status.returncode == 0
    assert status.stdout.startswith("Readings are refused (control_failed): ")
    assert "analyte qc release" in status.stdout
    row = next(line for line in status.stdout.splitlines() if line.startswith("low"))
    assert row.split()[1:4] == ["A7", "20", "1"]
    assert row.split()[-3:] == ["+3.53", "failed", "now"]


def test_several_pictures_make_one_control(qc: Qc, tmp_path: Path) -> None:
    pictures = [picture(tmp_path, value) for value in (20, 20.4, 22)]
    found = qc.json("measure", "--material", "low", *pictures)
    assert (found["reading"]["frames"], found["control"]["value"]) == (
        3, pytest.approx(value_of((0, 0, 52)), abs=0.01),
    )  # fmt: skip


def test_a_source(qc: Qc, tmp_path: Path) -> None:
    found = qc.json("measure", "--material", "high", "--source", picture(tmp_path, 61))
    assert found["control"]["z"] == pytest.approx(0.5, abs=0.1)


def test_a_control_without_a_value_is_not_measured(qc: Qc, tmp_path: Path) -> None:
    black = write_picture(tmp_path / "black.png", (0, 0, 0))
    found = qc.json("measure", "--material", "low", black, code=3)
    assert (found["outcome"], found["control"], found["reading"]["reason"]) == (
        "not_measured", None, "exposure",
    )  # fmt: skip
    assert qc.json("status")["materials"][0]["last"] is None
    assert "not measured (exposure" in qc("measure", "--material", "low", black).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["measure", "--material", "lwo", "x.png"], 3, "no control material 'lwo'; expected low or high"),
        (["measure", "--material", "low", "x.png", "--source", "0"], 2, "exclude each other"),
        (["measure", "--material", "low", "x.png", "--who", "a\nb"], 2, "--who: not a name"),
        (["recalibrate"], 2, "one of --method, --undo and --show"),
        (["recalibrate", "--undo", "--show"], 2, "one of --method"),
        (["recalibrate", "--show", "--standard", "1=x.png"], 2, "go with --method"),
        (["recalibrate", "--method", "offset"], 2, "needs --standard"),
        (["recalibrate", "--method", "offset", "--standard", "x.png"], 2, "not a standard: 'x.png'"),
        (["recalibrate", "--method", "offset", "--standard", "nan=x.png"], 2, "not a standard"),
        (["recalibrate", "--method", "offset", "--standard", "5=absent.png"], 3, "gave no value"),
        (["recalibrate", "--undo", "--why", "x"], 3, "no recalibration to undo"),
        (["chart", "-o", "chart.png"], 2, r"expected .svg"),
        (["chart", "-o", "chart.svg", "--material", "x"], 3, "expected low or high"),
    ],
)
def test_what_is_refused(qc: Qc, tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    picture(tmp_path, 20).rename(tmp_path / "x.png")
    done = qc(*arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr.replace("\n", " ")
    assert not (tmp_path / "chart.svg").exists()


def test_chart(qc: Qc, tmp_path: Path) -> None:
    qc.measure("low", 20)
    assert qc.json("chart", "-o", "chart.svg") == {"written": "chart.svg"}
    root = ET.parse(tmp_path / "chart.svg").getroot()
    assert root.get("role") == "img"
    assert qc("chart", "-o", "chart.svg").returncode == 3
    assert qc("chart", "-o", "chart.svg", "--overwrite", "--material", "low").returncode == 0


class TestRecalibration:
    def test_two_points_and_back(self, qc: Qc, tmp_path: Path) -> None:
        low, high = picture(tmp_path, 12), picture(tmp_path, 82)
        done = qc.json(
            "recalibrate", "--method", "two-point", "--standard", f"10={low}", "--standard", f"90={high}",
            "--why", "new lamp", "--who", "bob",
        )  # fmt: skip
        assert (done["version"], done["method"], len(done["standards"])) == ("1", "two-point", 2)
        assert done["correction"]["slope"] == pytest.approx(80 / 70, abs=0.02)
        # Controls are due anew, and are measured with it.
        assert qc.json("status")["recalibration"]["version"] == "1"
        assert qc.read(82)["reason"] == "control_due"
        control = qc.measure("low", 20, code=0)
        assert (control["control"]["recalibration"], control["reading"]["recalibration"]) == ("1", "1")
        qc.measure("high", 56)
        reading = qc.read(82)
        assert (reading["value"], reading["recalibration"]) == (pytest.approx(90, abs=0.3), "1")
        assert reading["sigma"] > 0.5
        shown = qc("recalibrate", "--show").stdout
        assert "Recalibration 1 (two-point, 2 standards)" in shown
        assert "none -> 1  bob: new lamp" in shown
        assert qc("recalibrate", "--undo").returncode == 3
        undone = qc.json("recalibrate", "--undo", "--why", "wrong bottle")
        assert undone["in_force"] is None
        assert [event["what"] for event in undone["history"]] == [
            "recalibration.made", "recalibration.undone",
        ]  # fmt: skip
        assert qc.json("status")["recalibration"] is None

    def test_standards_are_read_without_the_recalibration_in_force(self, qc: Qc, tmp_path: Path) -> None:
        one = f"20={picture(tmp_path, 22)}"
        first = qc.json("recalibrate", "--method", "offset", "--standard", one)
        second = qc.json("recalibrate", "--method", "offset", "--standard", one)
        assert (second["version"], second["correction"]) == ("2", first["correction"])

    def test_of_another_bundle(self, qc: Qc, tmp_path: Path) -> None:
        qc.json("recalibrate", "--method", "offset", "--standard", f"20={picture(tmp_path, 22)}")
        qc.bundle = write_bundle(
            tmp_path / "other.analyte", [File("onnx", "onnx", onnx_model(1))], golden_n=5
        )
        shown = qc.json("recalibrate", "--show")
        assert shown["in_force"] is None
        assert "does not hold for bundle" in shown["remark"]
        done = qc.analyte("read", qc.bundle, picture(tmp_path, 40), "--device", qc.device)
        assert "does not hold for bundle" in done.stderr

    def test_nonsense(self, qc: Qc, tmp_path: Path) -> None:
        done = qc("recalibrate", "--method", "offset", "--standard", f"80={picture(tmp_path, 20)}")
        assert done.returncode == 3
        assert "the offset is too large" in done.stderr
        assert qc.json("recalibrate", "--show")["history"] == []


def test_wells_are_named(qc: Qc, tmp_path: Path) -> None:
    text = qc.device.read_text("utf-8")
    wells = "[region.wells]\nrows = 1\ncolumns = 2\nfirst = [16, 24]\nlast = [48, 24]\nsize = 20\n"
    qc.device.write_text(text + wells, "utf-8")
    done = qc("measure", "--material", "low", picture(tmp_path, 20))
    assert done.returncode == 2
    assert "--well A1" in done.stderr
    assert qc("measure", "--material", "low", picture(tmp_path, 20), "--well", "A3").returncode == 2
    found = qc.json("measure", "--material", "low", picture(tmp_path, 20), "--well", "A2")
    assert found["reading"]["site"] == "A2"


def test_without_a_store_nothing_is_known(qc: Qc, tmp_path: Path) -> None:
    said = f"{tmp_path / 'readings.sqlite'}: there is no store, so nothing is known of controls, a lock-out"
    status = qc("status")
    assert (status.returncode, said in status.stderr) == (0, True)
    read = qc.analyte("read", qc.bundle, picture(tmp_path, 20.0), "--device", qc.device)
    assert (read.returncode, said in read.stderr) == (0, True)
    qc.measure("low", 20.0)
    assert qc("status").stderr == ""


def test_photographs_of_a_device_without_controls_need_no_store(
    analyte: Analyte, tmp_path: Path, bundle: Path
) -> None:
    profile = write_profile(tmp_path / "plain.toml")
    read = analyte("read", bundle, picture(tmp_path, 20.0), "--device", profile)
    assert (read.returncode, "store" in read.stderr) == (0, False)
