"""A profile against a machine, part by part."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from analyte.contract.profile import StorageSection, load_profile
from analyte.runtime.device import cameras, clock, machine
from analyte.runtime.device.cameras import check_camera
from analyte.runtime.device.engines import check_engine
from analyte.runtime.device.finding import Finding
from runtime.tiny_bundles import write_picture, write_profile


def look(folder: Path, source: str, *, test: bool = False) -> Finding:
    profile = load_profile(write_profile(folder / "p.toml", camera=f"source = {source!r}"))
    return check_camera(profile, None, test=test)


def engine(folder: Path, **keys: object) -> list[tuple[str, str, int]]:
    profile = load_profile(write_profile(folder / "p.toml", **keys))  # type: ignore[arg-type]
    return [(f.check, f.status, f.exit_code) for f in check_engine(profile)]


class TestEngine:
    def test_there(self, tmp_path: Path) -> None:
        assert engine(tmp_path) == [("engine", "ok", 0), ("provider", "ok", 0)]

    def test_provider_is_missing(self, tmp_path: Path) -> None:
        assert engine(tmp_path, provider="tensorrt")[1:] == [("provider", "missing", 5)]

    def test_fallback_stands_in_and_is_said(self, tmp_path: Path) -> None:
        found = engine(tmp_path, provider="tensorrt", fallback=["cpu"])
        assert found[1:] == [("provider", "warning", 0), ("fallback", "ok", 0)]

    def test_delegate_that_is_not_there(self, tmp_path: Path) -> None:
        found = engine(tmp_path, engine="litert", provider="edgetpu", artifacts=["tflite-int8-strict"])
        assert found == [("engine", "ok", 0), ("provider", "missing", 5)]

    def test_not_installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def absent(name: str) -> None:
            raise ModuleNotFoundError(name)

        monkeypatch.setattr("analyte.runtime.device.engines.importlib.import_module", absent)
        profile = load_profile(write_profile(tmp_path / "p.toml", engine="litert", provider="cpu"))
        (found,) = check_engine(profile)
        assert (found.status, found.exit_code, found.fix) == ("missing", 5, "pip install 'analyte[litert]'")


class TestCamera:
    def test_device_that_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cameras, "DEVICES", tmp_path)
        found = look(tmp_path, "3")
        assert (found.status, found.exit_code) == ("missing", 6)
        assert "video3 is not there" in found.found

    def test_device_of_another_group(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "video0").touch()
        monkeypatch.setattr(cameras, "DEVICES", tmp_path)
        monkeypatch.setattr(cameras.os, "access", lambda *_: False)
        found = look(tmp_path, "0")
        assert (found.status, found.exit_code) == ("missing", 6)
        assert found.fix is not None
        assert found.fix.startswith("sudo usermod -aG video $USER")

    @pytest.mark.parametrize(
        ("everything", "of_node", "able"),
        [
            (0x84200001, 0x04200001, True),
            (0x84200003, 0x04200002, False),
            (0x04000001, 0x00000000, True),
            (0x84204000, 0x04204000, False),
        ],
    )
    def test_a_codec_is_no_camera(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everything: int, of_node: int, able: bool
    ) -> None:
        answer = b"\0" * 84 + everything.to_bytes(4, "little") + of_node.to_bytes(4, "little") + b"\0" * 12
        monkeypatch.setattr("fcntl.ioctl", lambda *_: answer)
        (tmp_path / "video0").touch()
        monkeypatch.setattr(cameras, "DEVICES", tmp_path)
        assert look(tmp_path, "0").status == ("ok" if able else "missing")

    def test_stream_is_not_reached_unasked_and_its_password_not_printed(self, tmp_path: Path) -> None:
        found = look(tmp_path, "rtsp://lab:geheim@127.0.0.1:1/x")
        assert found.status == "ok"
        assert "geheim" not in found.found

    @pytest.mark.parametrize(
        ("source", "code", "says"),
        [
            ("csi:0", 5, "csi:0 needs picamera2, which is not installed"),
            ("csi:x", 6, "not complete"),
            ("gst:rtspsrc user-pw=geheim", 5, "gst:rtspsrc: OpenCV"),
            ("watch:/no/such/folder", 6, "/no/such/folder: No such file"),
            ("sim:/no/such/folder", 6, "/no/such/folder: No such file"),
        ],
    )
    def test_what_a_kind_of_source_needs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, code: int, says: str
    ) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        monkeypatch.setattr("cv2.videoio_registry.hasBackend", lambda backend: False)
        found = look(tmp_path, source)
        assert (found.status, found.exit_code) == ("missing", code)
        assert says in found.found
        assert "geheim" not in f"{found.found} {found.fix}"

    def test_one_frame_is_taken_where_asked_for(self, tmp_path: Path) -> None:
        picture = write_picture(tmp_path / "a.png", (1, 2, 3))
        assert "a frame of 64x48" in look(tmp_path, str(picture), test=True).found

    def test_folder_without_pictures(self, tmp_path: Path) -> None:
        found = look(tmp_path, str(tmp_path), test=True)
        assert (found.status, found.exit_code) == ("missing", 6)


class TestMachine:
    def test_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(machine, "MEMORY", tmp_path / "meminfo")
        for kilobytes, status in ((80_000, "missing"), (900_000, "ok")):
            (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable: {kilobytes} kB\n", "ascii")
            assert machine.check_memory().status == status

    def test_threads(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write_profile(tmp_path / "p.toml")
        path.write_text(path.read_text("utf-8") + "threads = 3\n", "utf-8")
        for cores, status in (({0, 1}, "warning"), ({0, 1, 2}, "ok")):
            monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _, cores=cores: cores)
            assert machine.check_threads(load_profile(path)).status == status

    @pytest.mark.parametrize(("free_mb", "status"), [(20, "missing"), (500, "warning"), (5000, "ok")])
    def test_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, status: str) -> None:
        usage = type("Usage", (), {"free": free_mb * 1_000_000})
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
        (found,) = machine.check_storage(StorageSection(path=tmp_path / "new" / "r.sqlite"))
        assert (found.status, found.exit_code) == (status, 3 if status == "missing" else 0)

    def test_store_that_cannot_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(machine.os, "access", lambda *_: False)
        found = machine.check_storage(StorageSection(path=tmp_path / "r.sqlite", refused_frames=tmp_path))
        assert [(f.check, f.status, f.exit_code) for f in found] == [
            ("store", "missing", 3),
            ("refused frames", "missing", 3),
        ]
        assert stat.S_ISDIR(tmp_path.stat().st_mode)

    def test_clock(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stamp = tmp_path / "synchronized"
        monkeypatch.setattr(clock, "TIMESYNC", stamp)
        for kernel, status in ((True, "ok"), (False, "warning"), (None, "warning")):
            monkeypatch.setattr(clock, "kernel_synchronised", lambda kernel=kernel: kernel)
            assert clock.check_clock().status == status
        stamp.touch()
        assert clock.check_clock().status == "ok"
