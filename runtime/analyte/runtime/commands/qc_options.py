"""What the commands of ``analyte qc`` have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from analyte.runtime.commands.profile_path import PROFILE

if TYPE_CHECKING:
    from analyte.contract.profile import DeviceProfile
    from analyte.runtime.control.quality_control import QualityControl
    from analyte.runtime.daemon import Prepared

F = TypeVar("F", bound=Callable[..., Any])
_PATH = click.Path(readable=False, path_type=Path)

device_option = click.option("--device", required=True, type=PROFILE, help="Device profile (TOML).")
bundle_option = click.option("--bundle", required=True, type=_PATH, help="Bundle that the device runs.")
store_option = click.option("--store", type=_PATH, help="SQLite file; else the profile's.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def person_options(command: F) -> F:
    """Add ``--who`` and ``--why``."""
    command = click.option("--why", default="", help="Reason; stands in the audit trail.")(command)
    return click.option("--who", help="Who does it; else the login name.")(command)


def person(who: str | None) -> str:
    """Return the name that stands in the audit trail. Raises: SettingsError where there is none."""
    import getpass

    from analyte.contract.errors import SettingsError

    if who is not None:
        if not who.strip() or not who.isprintable():
            raise SettingsError("--who: not a name", got=ascii(who))
        return who.strip()
    try:
        # Before Python 3.13 an unknown user is a KeyError.
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise SettingsError("your login name is not known", fix="Give --who NAME") from error


@contextlib.contextmanager
def opened_control(
    profile: DeviceProfile, where: Path, store: Path | None, bundle: str, *, create: bool
) -> Iterator[QualityControl]:
    """Give the quality control of a device that runs a bundle, by its id; ``where``: the profile's file.

    Says so where there is no store and none is made: of an instrument that is locked, it knows nothing.
    Raises: InputError, UnavailableError, IntegrityError, OutputError.
    """
    from analyte.runtime.control.quality_control import QualityControl
    from analyte.runtime.control.trails import opened_trail

    path = store or profile.storage.path
    if not create and not path.exists():
        report(
            f"{path.absolute()}: there is no store, so nothing is known of controls, a lock-out or a "
            "recalibration. Run this in the daemon's folder, or name its store with --store"
        )
    with opened_trail(path, profile, where, create=create) as trail:
        yield QualityControl(trail, profile.control, bundle)


@contextlib.contextmanager
def prepared(device: Path, bundle: Path, source: str | None) -> Iterator[Prepared]:
    """Give all that measures, opened and proven as the daemon does it."""
    from analyte.runtime.daemon import DaemonOptions, prepare

    ready = prepare(DaemonOptions(device, bundle, source), report)
    try:
        yield ready
    finally:
        ready.opened.close()


def report(text: str) -> None:
    """Say something beside the result."""
    from analyte.contract.redaction import redact

    click.echo(f"analyte qc: {redact(text)}", err=True)
