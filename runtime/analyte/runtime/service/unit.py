"""A systemd unit for one daemon: the shipped template, with the paths and devices of a profile."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import analyte.contract
from analyte.contract.errors import SettingsError
from analyte.contract.profile import DeviceProfile
from analyte.contract.redaction import redact
from analyte.runtime.device.shipped import shipped_file
from analyte.runtime.sources.kinds import Kind, kind_of

TEMPLATE = "systemd/analyte@.service"


@dataclass(frozen=True, slots=True)
class _Accelerator:
    """What an engine's provider needs of the machine."""

    devices: tuple[str, ...]
    groups: tuple[str, ...]


_NVIDIA = _Accelerator(("char-nvidia* rw", "char-nvhost* rw", "char-nvmap rw"), ())
_RENDERER = _Accelerator(("char-drm rw",), ("render",))
_ACCELERATORS = {
    "cuda": _NVIDIA,
    "tensorrt": _NVIDIA,
    "openvino": _RENDERER,
    "gpu": _RENDERER,
    "edgetpu": _Accelerator(("char-usb_device rw", "char-apex rw"), ("plugdev",)),
}
_FILES = {Kind.PATH, Kind.WATCH, Kind.SIMULATED}
"""Sources that lie in the file system."""


@dataclass(frozen=True, slots=True)
class UnitOptions:
    """What the command line says."""

    device: Path
    bundle: Path | None
    """None where the profile's bundles.folder says it."""
    source: str | None = None
    store: Path | None = None


def unit_text(options: UnitOptions, profile: DeviceProfile) -> str:
    """Return the unit, as a file of its own: this interpreter, absolute paths, the profile's device id.

    Raises: SettingsError where something of it must not, or cannot, stand in a unit.
    """
    text = shipped_file(TEMPLATE).read_text("utf-8")
    head = f"# Of 'analyte daemon --print-unit', for {_comment(options.device)}.\n"
    text = head + re.sub(r"\A(#.*\n)+", "", text)
    text = _set(text, "ExecStart", " ".join(map(_quoted, _command(options, profile))))
    accelerators = [
        _ACCELERATORS[name]
        for name in (profile.engine.provider, *profile.engine.fallback)
        if name in _ACCELERATORS
    ]
    text = _set(
        text,
        "SupplementaryGroups",
        " ".join(_unique(["video", *(g for a in accelerators for g in a.groups)])),
    )
    devices = _unique([device for accelerator in accelerators for device in accelerator.devices])
    text = _add(text, "DeviceAllow", devices)
    text = _with_paths(text, options, profile)
    return text.replace("%i", profile.device.id)


def _command(options: UnitOptions, profile: DeviceProfile) -> Iterator[str]:
    # -P: the folder that the daemon may write to is no place to import from.
    yield from (sys.executable, "-P", "-m", "analyte.cli", "daemon")
    yield from ("--device", str(options.device.absolute()))
    if options.bundle is not None:
        yield from ("--bundle", str(options.bundle.absolute()))
    if options.source is not None:
        if redact(options.source) != options.source:
            raise SettingsError(
                "--source holds what may be a password, and everybody may read a unit",
                fix="Put it into the profile as camera.source, readable by the daemon's user alone",
            )
        yield from ("--source", _as_seen_from_anywhere(options.source))
    elif profile.camera.source is not None:
        source = _as_seen_from_anywhere(profile.camera.source)
        # What is the same from anywhere may hold a password, and stays in the profile.
        yield from () if source == profile.camera.source else ("--source", source)
    if options.store is not None:
        yield from ("--store", str(options.store.absolute()))


def _as_seen_from_anywhere(source: str) -> str:
    """Return a source with the absolute path of its file, where it is one that is there."""
    path = _file_of(source)
    return source if path is None else source.removesuffix(kind_of(source)[1]) + str(path.absolute())


def _file_of(source: str) -> Path | None:
    kind, rest = kind_of(source)
    return Path(rest) if kind in _FILES and Path(rest).exists() else None


def _with_paths(text: str, options: UnitOptions, profile: DeviceProfile) -> str:
    """Let the daemon reach what lies where a service usually cannot look."""
    read = [options.device, Path(sys.executable), Path(sys.prefix), Path(sys.base_prefix)]
    read += [] if options.bundle is None else [options.bundle]
    read += [Path(folder) for folder in analyte.contract.__path__]
    source = options.source or profile.camera.source
    file = None if source is None else _file_of(source)
    read += [] if file is None else [file]
    storage = profile.storage
    # A folder of bundles is written to at its name in its own folder.
    stores = [options.store or storage.path, storage.refused_frames, profile.bundles.folder]
    written = [path for path in stores if path is not None and path.is_absolute()]
    folders = _unique([str(path.parent) for path in written])
    text = _add(text, "ReadWritePaths", [_quoted(folder) for folder in folders], after="ProtectSystem")
    reached = [path.absolute() for path in (*read, *written)]
    if any(path.is_relative_to(home) for path in reached for home in ("/home", "/root", "/run/user")):
        text = _set(text, "ProtectHome", "read-only")
    if any(path.is_relative_to(folder) for path in reached for folder in ("/tmp", "/var/tmp")):
        text = _set(text, "PrivateTmp", "no")
    return text


def _set(text: str, key: str, value: str) -> str:
    """Give a key of the template another value."""
    found, count = re.subn(rf"(?m)^{key}=.*$", lambda _: f"{key}={value}", text)
    assert count == 1, key
    return found


def _add(text: str, key: str, values: Sequence[str], after: str | None = None) -> str:
    """Add lines of a key behind the last one of it, or of the key ``after``."""
    place = [*re.finditer(rf"(?m)^{after or key}=.*\n", text)][-1].end()
    return text[:place] + "".join(f"{key}={value}\n" for value in values) + text[place:]


def _unique(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _comment(path: Path) -> str:
    return " ".join(str(path.absolute()).split()).replace("%", "%%")


def _quoted(word: str) -> str:
    """Return a word as systemd reads it back: `systemd.syntax(7)`, quoting, and `systemd.service(5)`.

    Raises: SettingsError for control characters.
    """
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in word) or not word.isprintable():
        raise SettingsError("a path with control characters cannot stand in a unit", got=repr(word))
    safe = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_@%$+=:,./~-]+", safe):
        return safe
    escaped = safe.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
