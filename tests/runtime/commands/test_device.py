"""``analyte device``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner, Result

from analyte.contract.errors import ProfileError
from analyte.contract.profile import load_profile
from analyte.runtime.commands.device import command
from runtime.conftest import Analyte
from runtime.tiny_bundles import File, onnx_model, write_bundle, write_picture, write_profile

CONFIGS = Path(__file__).parents[3] / "device_configs"


def device(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_list() -> None:
    found = json.loads(device("list", "--json").stdout)
    assert {row["name"] for row in found} == {path.stem for path in CONFIGS.glob("*.toml")}
    assert all(row["purpose"] and row["run"] for row in found)
    assert "raspberry-pi-5" in device("list").stdout


def test_show_is_the_profile_with_its_defaults(tmp_path: Path) -> None:
    path = write_profile(tmp_path / "p.toml", measure="covariates = { lot = 'B' }")
    again = tmp_path / "again.toml"
    again.write_text(device("show", path).stdout, "utf-8")
    assert load_profile(again) == load_profile(path)
    assert "camera.max_age_s = 0.5  # default" in again.read_text("utf-8")
    assert 'engine.provider = "cpu"\n' in again.read_text("utf-8")


def test_show_prints_no_password(tmp_path: Path) -> None:
    path = write_profile(tmp_path / "p.toml", camera='source = "rtsp://lab:geheim@cam/x?key=geheim"')
    for arguments in ([path], [path, "--json"]):
        shown = device("show", *arguments).stdout
        assert "cam/x" in shown
        assert "geheim" not in shown


def test_a_name_that_is_none() -> None:
    error = device("show", "raspberry-pi-99").exception
    assert isinstance(error, ProfileError)
    assert "raspberry-pi-5" in error.line()


def test_check_of_what_is_all_there(analyte: Analyte, bundle: Path, tmp_path: Path) -> None:
    source = write_picture(tmp_path / "a.png", (1, 2, 3))
    path = write_profile(tmp_path / "p.toml", camera=f'source = "{source}"')
    result = analyte("device", "check", path, "--bundle", bundle, "--source-test", "--json")
    assert result.returncode == 0, result.stdout
    found = json.loads(result.stdout)
    assert found["passed"] is True
    by_check = {row["check"]: row for row in found["findings"]}
    assert {"engine", "provider", "threads", "camera", "memory", "clock", "store", "bundle", "region"} == set(
        by_check
    )
    assert by_check["region"]["found"] == "the whole frame"
    assert "passes the self-test" in by_check["bundle"]["found"]


def test_check_ends_with_the_code_of_the_first_missing_thing(analyte: Analyte, tmp_path: Path) -> None:
    gone = 'source = "not-there.mp4"'
    result = analyte("device", "check", write_profile(tmp_path / "p.toml", provider="cuda", camera=gone))
    assert result.returncode == 5
    assert result.stdout.splitlines()[-1] == "2 missing"
    result = analyte("device", "check", write_profile(tmp_path / "p.toml", camera=gone))
    assert result.returncode == 6


def test_check_of_a_profile_that_does_not_fit_the_bundle(tmp_path: Path, bundle: Path) -> None:
    path = write_profile(tmp_path / "p.toml", camera=f'source = "{tmp_path}"', measure='lod = "bundle"')
    result = device("check", path, "--bundle", bundle)
    assert result.exit_code == 3
    assert "measure.lod: the bundle has no such limit" in result.stdout


def test_check_of_a_bundle(tmp_path: Path, bundle: Path) -> None:
    path = write_profile(tmp_path / "p.toml")
    damaged = tmp_path / "damaged.analyte"
    shutil.copytree(bundle, damaged)
    (damaged / "card.md").write_text("altered", "utf-8")
    assert device("check", path, "--bundle", damaged).exit_code == 7
    wrong = write_bundle(tmp_path / "wrong.analyte", [File("onnx", "onnx", onnx_model(1))], golden_error=1.0)
    assert device("check", path, "--bundle", wrong).exit_code == 4


def test_check_of_keys_and_calibration(tmp_path: Path) -> None:
    path = write_profile(tmp_path / "p.toml", camera='source = "rtsp://cam"')
    text = path.read_text("utf-8") + '[security]\nrequire_signature = true\ntrusted_keys = ["gone.pub"]\n'
    path.write_text(text + '[colour]\ncalibration = "gone.npz"\n', "utf-8")
    result = device("check", path, "--json")
    assert result.exit_code == 3
    rows = {row["check"]: row for row in json.loads(result.stdout)["findings"]}
    assert rows["trusted keys"]["status"] == rows["colour"]["status"] == "missing"
    assert "gone.pub" in rows["trusted keys"]["found"]


def test_tune_writes_the_choice_and_keeps_the_rest(tmp_path: Path, bundle: Path) -> None:
    path = tmp_path / "p.toml"
    shutil.copy(CONFIGS / "raspberry-pi-5.toml", path)
    before = path.read_text("utf-8").splitlines()
    shown = json.loads(device("tune", bundle, "--device", path, "--repeats", "10", "--json").stdout)
    engine = load_profile(path).engine
    assert (engine.name, engine.provider, engine.artifacts) == ("onnx", "cpu", ("onnx",))
    assert (engine.threads, shown["written"]) == (shown["threads"], str(path))
    after = path.read_text("utf-8").splitlines()
    changed = [a for a, b in zip(after, before, strict=True) if a != b]
    assert {line.partition(" =")[0] for line in changed} <= {"name", "provider", "threads", "artifacts"}


def test_dry_run_writes_nothing(tmp_path: Path, bundle: Path, profile: Path) -> None:
    before = profile.read_bytes()
    result = device("tune", bundle, "--device", profile, "--repeats", "10", "--dry-run")
    assert result.exit_code == 0
    assert "Nothing was written." in result.stdout
    assert profile.read_bytes() == before


def test_a_write_protected_profile_is_not_changed(bundle: Path, profile: Path) -> None:
    before = profile.read_bytes()
    profile.chmod(0o444)
    error = device("tune", bundle, "--device", profile, "--repeats", "10").exception
    assert isinstance(error, ProfileError)
    assert "write-protected" in error.line()
    assert profile.read_bytes() == before
    assert profile.stat().st_mode & 0o777 == 0o444


def test_a_shipped_profile_is_not_changed(bundle: Path) -> None:
    result = device("tune", bundle, "--device", "x86-cpu")
    assert result.exit_code == 2
    assert "-o OUT" in result.output
    assert device("tune", bundle, "--device", CONFIGS / "x86-cpu.toml").exit_code == 2
