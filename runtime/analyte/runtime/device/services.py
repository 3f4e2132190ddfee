"""What a profile sends and serves: the libraries and files that the page and MQTT need."""

from __future__ import annotations

from pathlib import Path

from analyte.contract.errors import AnalyteError, InputError, UnavailableError
from analyte.contract.profile import DeviceProfile
from analyte.runtime.device.finding import Finding, missing, ok, refused


def check_services(profile: DeviceProfile, path: Path) -> list[Finding]:
    """Return what is here of that; nothing where the profile asks for neither. ``path``: the profile's file.

    Nothing is listened at and nothing is sent.
    """
    found: list[Finding] = []
    if profile.serve is not None:
        found.append(_page(profile, path))
    if profile.mqtt is not None:
        found.append(_mqtt(profile, path))
    return found


def _page(profile: DeviceProfile, path: Path) -> Finding:
    assert profile.serve is not None
    try:
        import fastapi  # noqa: F401 - whether they are there
        import uvicorn  # noqa: F401
    except ImportError as error:
        said = f"the packages of the page are not installed: {error}"
        return missing("page", said, "pip install 'analyte[serve]'", UnavailableError)
    from analyte.runtime.serve.tokens import TokenFile

    section, folder = profile.serve, path.absolute().parent
    try:
        if section.tokens is not None:
            TokenFile(folder / section.tokens).records()
        for file in () if section.tls is None else (section.tls.certificate, section.tls.key):
            (folder / file).open("rb").close()
    except AnalyteError as error:
        return refused("page", error)
    except OSError as error:
        what = f"serve.tls: {error.strerror}"
        return refused("page", InputError(what, where=error.filename, expected="a PEM file"))
    return ok("page", f"port {section.port}, its packages and files are there")


def _mqtt(profile: DeviceProfile, path: Path) -> Finding:
    from analyte.runtime.publish.opening import access_of

    assert profile.mqtt is not None
    try:
        access = access_of(profile, profile.mqtt, where=path)
    except AnalyteError as error:
        return refused("mqtt", error)
    return ok("mqtt", f"{access.name}, not tried; its library and files are there")
