"""The profiles that analyte brings, and finding one by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from analyte.contract.errors import ProfileError

RUN = "What was run on what:"
"""How the paragraph of a profile's head begins that says so."""
_HERE = Path(__file__).parent
_FOLDERS = (_HERE / "profiles", _HERE.parents[3] / "device_configs")
"""In an installed wheel, in the source tree."""


@dataclass(frozen=True, slots=True)
class ShippedProfile:
    """A profile as its head describes it; JSON names equal field names."""

    name: str
    purpose: str
    """The first paragraph of its head."""
    run: str
    """What was run on what, in the words of its head; empty where it does not say."""
    path: str


def shipped_profiles() -> list[ShippedProfile]:
    """Return the profiles that are shipped, by name. Raises: ProfileError when there are none here."""
    return [_described(path) for path in sorted(_folder().glob("*.toml"))]


def find_profile(given: Path) -> Path:
    """Return the file of a profile: a path, or the name of a shipped one such as ``raspberry-pi-5``.

    A file of that name counts first; a folder does not. Raises: ProfileError naming the profiles that there
    are.
    """
    if given.exists() and not given.is_dir():
        return given
    names = {profile.name: Path(profile.path) for profile in shipped_profiles()}
    found = names.get(given.name.removesuffix(".toml")) if len(given.parts) == 1 else None
    if found is None:
        raise ProfileError(
            "there is no such profile", where=given, expected=f"a file or one of {', '.join(names)}"
        )
    return found


def is_shipped(path: Path) -> bool:
    """Return whether a profile's file is one that analyte brings."""
    return path.resolve().parent in {folder.resolve() for folder in _FOLDERS}


def shipped_file(name: str) -> Path:
    """Return a file beside the profiles, such as ``systemd/analyte@.service``. Raises: ProfileError."""
    return _folder() / name


def _folder() -> Path:
    for folder in _FOLDERS:
        if folder.is_dir():
            return folder
    raise ProfileError(
        "the profiles that analyte brings are not here", where=_FOLDERS[0], fix="Install analyte again"
    )


def _described(path: Path) -> ShippedProfile:
    head = re.match(r"(?:#.*\n)*", path.read_text("utf-8"))
    assert head is not None
    text = re.sub(r"(?m)^# ?", "", head.group())
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text)]
    run = next((p.removeprefix(RUN).strip() for p in paragraphs if p.startswith(RUN)), "")
    return ShippedProfile(path.stem, paragraphs[0], run, str(path))
