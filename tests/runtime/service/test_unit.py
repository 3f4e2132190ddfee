"""Units that systemd accepts, and that do what they say."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.errors import SettingsError
from analyte.contract.profile import load_profile
from analyte.runtime.device.shipped import shipped_file
from analyte.runtime.service.unit import TEMPLATE, UnitOptions, unit_text
from runtime.conftest import Analyte
from runtime.tiny_bundles import write_picture, write_profile

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
HIGHEST_EXPOSURE = 2.0
"""Of 10; systemd calls less than 5 OK."""


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False, timeout=60)


def exposure(unit: Path) -> float:
    result = analyze("security", "--offline=true", unit)
    found = re.search(r"exposure level for .*: ([0-9.]+)", result.stdout)
    if found is None:
        pytest.skip(f"this systemd-analyze does not judge files: {result.stderr.strip()}")
    return float(found.group(1))


def value(unit: str, key: str) -> list[str]:
    return re.findall(rf"(?m)^{key}=(.*)$", unit)


@needs_systemd
class TestShipped:
    @pytest.fixture
    def unit(self, tmp_path: Path) -> Path:
        """The shipped one, with a program that is there."""
        text = shipped_file(TEMPLATE).read_text()
        path = tmp_path / "analyte@.service"
        path.write_text(text.replace("/opt/analyte/bin/analyte", sys.executable))
        return path

    def test_is_accepted(self, unit: Path) -> None:
        result = analyze("verify", "--man=no", unit)
        assert (result.returncode, result.stderr) == (0, "")

    def test_is_shut_in(self, unit: Path) -> None:
        assert exposure(unit) <= HIGHEST_EXPOSURE

    def test_restarts_what_may_pass_by_itself(self, unit: Path) -> None:
        text = unit.read_text()
        assert value(text, "Restart") == ["on-failure"]
        assert value(text, "RestartPreventExitStatus") == ["2 3 7"]
        assert value(text, "Type") == ["notify"]
        assert value(text, "User") == ["analyte"]

    def test_user(self, tmp_path: Path) -> None:
        tool = shutil.which("systemd-sysusers")
        if tool is None:
            pytest.skip("systemd-sysusers is not installed")
        for folder in ("etc", "var/lib"):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / "etc/group").write_text("video:x:44:\n")
        file = shipped_file("systemd/analyte.sysusers.conf")
        subprocess.run([tool, f"--root={tmp_path}", file], check=True, capture_output=True, timeout=30)
        assert re.search(r"(?m)^analyte:.*:/usr/s?bin/nologin$", (tmp_path / "etc/passwd").read_text())
        assert re.search(r"(?m)^video:x:\d+:analyte$", (tmp_path / "etc/group").read_text())


class TestPrinted:
    def printed(self, analyte: Analyte, *arguments: str | Path) -> str:
        result = analyte("daemon", "--print-unit", *arguments)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    @needs_systemd
    @pytest.mark.parametrize("stem", ["device", "a b", "50% $HOME", "it's", 'say "x"', "back\\slash", "é"])
    def test_is_accepted_and_runs(self, analyte: Analyte, bundle: Path, tmp_path: Path, stem: str) -> None:
        frames = tmp_path / "frames"
        frames.mkdir()
        write_picture(frames / "0.png", (0, 0, 100))
        folder = tmp_path / stem
        folder.mkdir()
        profile = write_profile(folder / "p.toml")
        text = self.printed(
            analyte, "--device", profile, "--bundle", bundle, "--source", "frames", "--store", folder / "s.db"
        )
        unit = tmp_path / "analyte-bench.service"
        unit.write_text(text, "utf-8")
        result = analyze("verify", "--man=no", unit)
        assert (result.returncode, result.stderr) == (0, "")
        assert exposure(unit) <= HIGHEST_EXPOSURE + 0.5
        assert "%i" not in text
        # What systemd would run; shlex reads double quotes and backslashes as systemd does.
        (line,) = value(text, "ExecStart")
        command = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)]
        assert command[command.index("--device") + 1] == str(profile)
        run = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=60)
        assert run.returncode == 0, run.stderr
        assert (folder / "s.db").exists()

    def test_folders_of_people_and_temporary_ones_are_reached(self, bundle: Path, tmp_path: Path) -> None:
        profile = load_profile(write_profile(tmp_path / "p.toml"))
        home = unit_text(UnitOptions(Path("/home/ann/p.toml"), bundle, store=Path("/srv/s.db")), profile)
        assert value(home, "ProtectHome") == ["read-only"]
        assert "/srv" in value(home, "ReadWritePaths")
        temporary = unit_text(UnitOptions(Path("/tmp/p.toml"), bundle), profile)
        assert value(temporary, "PrivateTmp") == ["no"]

    @pytest.mark.parametrize("prefix", ["", "sim:", "watch:"])
    @pytest.mark.parametrize("given", [True, False])
    def test_pictures_are_found_from_the_folder_of_the_service(
        self, analyte: Analyte, bundle: Path, tmp_path: Path, prefix: str, given: bool
    ) -> None:
        (tmp_path / "frames").mkdir()
        text = f"{prefix}frames"
        profile = write_profile(tmp_path / "p.toml", camera="" if given else f'source = "{text}"')
        more = ("--source", text) if given else ()
        unit = self.printed(analyte, "--device", profile, "--bundle", bundle, *more)
        (line,) = value(unit, "ExecStart")
        command = shlex.split(line)
        assert command[command.index("--source") + 1] == f"{prefix}{tmp_path / 'frames'}"

    def test_devices_of_the_engine(self, bundle: Path, tmp_path: Path) -> None:
        profile = load_profile(write_profile(tmp_path / "p.toml", provider="cuda", fallback=["cpu"]))
        text = unit_text(UnitOptions(tmp_path / "p.toml", bundle), profile)
        assert "char-nvidia* rw" in value(text, "DeviceAllow")
        coral = load_profile(write_profile(tmp_path / "c.toml", engine="litert", provider="edgetpu"))
        text = unit_text(UnitOptions(tmp_path / "c.toml", bundle), coral)
        assert value(text, "SupplementaryGroups") == ["video plugdev"]
        assert "char-usb_device rw" in value(text, "DeviceAllow")

    def test_password_in_a_source_is_refused_unprinted(
        self, analyte: Analyte, bundle: Path, profile: Path
    ) -> None:
        result = analyte(
            "daemon",
            "--print-unit",
            "--device",
            profile,
            "--bundle",
            bundle,
            "--source",
            "rtsp://u:s3cret@h/",
        )
        assert (result.returncode, result.stdout) == (2, "")
        assert "everybody may read a unit" in result.stderr
        assert "s3cret" not in result.stderr

    @pytest.mark.parametrize("missing", ["device", "bundle"])
    def test_nothing_for_what_is_not_there(
        self, analyte: Analyte, bundle: Path, profile: Path, missing: str
    ) -> None:
        paths = {"device": profile, "bundle": bundle} | {missing: Path("none")}
        result = analyte("daemon", "--print-unit", "--device", paths["device"], "--bundle", paths["bundle"])
        assert (result.returncode, result.stdout) == (3, "")


@given(st.text(min_size=1, max_size=20))
def test_any_path_is_read_back_or_refused(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    profile = load_profile(Path(__file__).parents[3] / "device_configs" / "x86-cpu.toml")
    path = Path("/srv") / os.fsdecode(name.encode("utf-8", "replace"))
    try:
        text = unit_text(UnitOptions(path, Path("/srv/b")), profile)
    except SettingsError:
        return
    (line,) = value(text, "ExecStart")
    command = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)]
    assert command[command.index("--device") + 1] == str(path)
    assert command[-1] == "/srv/b"
