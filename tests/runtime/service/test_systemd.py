"""The printed unit under a systemd of its own, which is PID 1 of a container over this machine's files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy
import pytest

import analyte.contract
from runtime.conftest import analyte_command
from runtime.publish.brokers import until
from runtime.tiny_bundles import write_picture, write_profile

NSPAWN = shutil.which("systemd-nspawn")
pytestmark = [
    pytest.mark.skipif(NSPAWN is None, reason="systemd-nspawn is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a container"),
]

SHORTER = "[Service]\nWatchdogSec=4\nRestartSec=0.2\n"
"""A drop-in: what takes half a minute on a device takes seconds here."""
SCRIPT = r"""#!/bin/bash
systemctl start plain && echo up || { echo cannot; systemctl poweroff --force --force > /dev/null 2>&1; }
show() { systemctl show -P "$1" analyte; }
until_is() { for _ in $(seq 300); do [ "$(show "$1")" = "$2" ] && return; sleep 0.2; done; }
systemctl start analyte
echo "started $? $(show ActiveState) $(show User)"
sleep 1
kill -9 "$(show MainPID)"
until_is NRestarts 1; until_is ActiveState active
echo "killed $(show ActiveState) $(show NRestarts)"
kill -STOP "$(show MainPID)"
until_is NRestarts 2; until_is ActiveState active
echo "hung $(show ActiveState) $(show NRestarts)"
sleep 1
systemctl stop analyte
echo "stopped $(show ActiveState) $(show Result) $(show ExecMainStatus)"
echo end
systemctl poweroff --force --force > /dev/null 2>&1
"""
CALLED = """[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash {script}
StandardOutput=file:{said}
"""


@contextmanager
def copy_of_this_machine(folder: Path) -> Iterator[Path]:
    """Yield a root over this machine's files, in which whatever is written stays in ``folder``."""
    # Of a kind that may lie over any other: the file system of the machine may be one of layers already.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True, capture_output=True)
    try:
        for name in ("upper", "work", "root"):
            (folder / name).mkdir()
        layers = f"lowerdir=/,upperdir={folder / 'upper'},workdir={folder / 'work'}"
        words = ["mount", "-t", "overlay", "overlay", "-o", layers, folder / "root"]
        if (done := subprocess.run(words, capture_output=True, text=True, check=False)).returncode:
            pytest.skip(f"no layer over this machine's files can be mounted: {done.stderr.strip()}")
        try:
            yield folder / "root"
        finally:
            subprocess.run(["umount", folder / "root"], check=True)
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def booted(root: Path) -> Iterator[None]:
    assert NSPAWN is not None
    words = [NSPAWN, "-q", "-D", root, "--register=no", "--keep-unit", "--console=pipe", "--boot"]
    container = subprocess.Popen(
        [*words, "systemd.unit=basic.target"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        container.terminate()
        try:
            container.wait(10)
        except subprocess.TimeoutExpired:
            container.kill()
            container.wait()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "copy").mkdir()
    try:
        with copy_of_this_machine(tmp_path / "copy") as root:
            yield root
    except subprocess.CalledProcessError as error:
        pytest.skip(f"nothing can be mounted here: {error.stderr}")


def plain(unit: str) -> str:
    """Return a unit that is shut in alike and runs nothing of ours: it fails only where systemd cannot."""
    unit = re.sub(r"(?m)^(ExecStart|Type)=.*$", "", unit)
    unit = re.sub(
        r"(?m)^(WatchdogSec|Restart|RestartSec|RestartPreventExitStatus|NotifyAccess)=.*$", "", unit
    )
    return unit.replace("[Service]", "[Service]\nType=oneshot\nExecStart=/bin/true")


def is_there(root: Path) -> bool:
    """Whether the container sees what the daemon runs on: not what lies in another file system, nor in /tmp,
    of which it has its own."""
    needed = (sys.executable, sys.prefix, sys.base_prefix, *analyte.contract.__path__, numpy.__file__)
    paths = [Path(path) for path in needed]
    return all((root / path.relative_to("/")).exists() and not path.is_relative_to("/tmp") for path in paths)


def prepare(root: Path, bundle: Path) -> Path:
    """Install the unit of a daemon and what starts, kills, halts and stops it; return where that writes."""
    if not is_there(root):
        pytest.skip("a container does not see where the interpreter or analyte lies")
    place = root / "srv" / "instrument"
    place.mkdir(parents=True)
    shutil.copytree(bundle, place / "bundle") if bundle.is_dir() else shutil.copy(bundle, place / "bundle")
    write_picture(place / "0.png", (0, 0, 100))
    (place / "frames").mkdir()
    (place / "0.png").rename(place / "frames" / "0.png")
    write_profile(place / "p.toml", camera='source = "sim:frames"', measure="interval_s = 0.1")
    # The interpreter of the tests may lie in a home that the user of the service cannot enter.
    for folder in (Path(sys.executable), Path(sys.executable).resolve(), Path(__file__)):
        for parent in folder.parents:
            inside = root / parent.relative_to("/")
            if inside.exists() and not inside.stat().st_mode & 0o001:
                inside.chmod(inside.stat().st_mode | 0o005)
    user = ["chroot", root, "useradd", "--system", "--no-create-home", "analyte"]
    if (done := subprocess.run(user, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"no user can be added: {done.stderr.strip()}")
    printed = subprocess.run(
        ["chroot", root, "env", "-C", "/srv/instrument",
         *analyte_command("daemon", "--print-unit", "--device", "p.toml", "--bundle", "bundle")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert printed.returncode == 0, printed.stderr
    system = root / "etc" / "systemd" / "system"
    (system / "analyte.service").write_text(printed.stdout)
    (system / "plain.service").write_text(plain(printed.stdout))
    (system / "analyte.service.d").mkdir()
    (system / "analyte.service.d" / "shorter.conf").write_text(SHORTER)
    said = Path("/srv/said")
    (root / "srv" / "script").write_text(SCRIPT)
    (system / "script.service").write_text(CALLED.format(script="/srv/script", said=said))
    (system / "basic.target.wants").mkdir(exist_ok=True)
    (system / "basic.target.wants" / "script.service").symlink_to("../script.service")
    (root / "etc" / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    return root / "srv" / "said"


def test_the_unit_starts_again_after_a_kill_and_a_hang_and_stops_clean(root: Path, bundle: Path) -> None:
    said = prepare(root, bundle)
    with booted(root):
        try:
            until(lambda: said.exists() and said.read_text(), "systemd to be up")
        except AssertionError:
            pytest.skip("systemd does not come up in a container here")
        if "cannot" in said.read_text():
            pytest.skip("systemd cannot shut a service in here")
        for stage in ("started", "killed", "hung", "stopped", "end"):
            until(lambda stage=stage: stage in said.read_text(), stage)
    assert said.read_text().splitlines() == [
        "up",
        "started 0 active analyte",
        "killed active 1",
        "hung active 2",
        "stopped inactive success 0",
        "end",
    ]
    store = next((root / "var" / "lib" / "analyte").rglob("*.sqlite"))
    verified = subprocess.run(
        analyte_command("log", "verify", "--store", store), capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stderr
