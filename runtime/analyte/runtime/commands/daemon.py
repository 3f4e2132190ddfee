"""``analyte daemon``: measure what a camera sees, continuously."""

from __future__ import annotations

import faulthandler
import os
import sys
from pathlib import Path

import click

from analyte.contract.errors import AnalyteError, CameraError
from analyte.runtime.commands.profile_path import PROFILE


def _source(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """Refuse an empty name, such as that of a variable that is not set: the profile names another camera."""
    if text is not None and not text.strip():
        raise click.BadParameter("is empty; name a source, or leave the option out", ctx, param)
    return text


@click.command()
@click.option("--device", required=True, type=PROFILE, help="Device profile (TOML).")
@click.option(
    "--bundle",
    type=click.Path(readable=False, path_type=Path),
    help="Bundle to run; else what bundles.folder runs.",
)
@click.option(
    "--source",
    callback=_source,
    help="Camera index, video, folder of pictures, URL, or csi:, gst:, watch:, sim: (docs/cameras.md); else "
    "the profile's.",
)
@click.option(
    "--store", type=click.Path(readable=False, path_type=Path), help="SQLite file; else the profile's."
)
@click.option("--max-readings", type=click.IntRange(min=1), help="Stop after so many readings.")
@click.option("--print-unit", is_flag=True, help="Print a systemd unit that does this, and end.")
def command(
    device: Path,
    bundle: Path | None,
    source: str | None,
    store: Path | None,
    max_readings: int | None,
    print_unit: bool,
) -> None:
    """Measure continuously: each reading goes to the store, then to stdout as one line of JSON.

    Stops cleanly on SIGTERM and SIGINT; the last lines on stderr say why it stopped. Under systemd it tells
    when it measures, and feeds the watchdog: docs/service.md.
    """
    if print_unit:
        _print_unit(device, bundle, source, store)
        return
    from analyte.runtime.stopping import stop_on_signals

    with stop_on_signals() as stop:
        from analyte.runtime.daemon import DaemonOptions, run_daemon
        from analyte.runtime.recorder import Tally
        from analyte.runtime.service.supervisor import Supervisor
        from analyte.runtime.sinks import JsonLines

        tally = Tally()
        supervisor = Supervisor(os.environ, lambda: f"measuring: {tally}", _report)
        if supervisor.watched:
            # The supervisor ends a process that hangs with SIGABRT: the log then says where it hung.
            faulthandler.enable()
        options = DaemonOptions(device, bundle, source, store, max_readings)
        try:
            reason = run_daemon(options, JsonLines(sys.stdout.buffer), stop, _report, tally, supervisor)
        except AnalyteError as error:
            # Where nothing was measured yet, the error's own line says it all.
            if tally.readings or isinstance(error, CameraError):
                _log(f"stopped: {error.what} ({tally})", error=True)
            raise
        finally:
            _forget_dead_stdout()
        _log(f"stopped: {reason} ({tally})")


def _report(text: str) -> None:
    _log(text, warning=True)


def _log(text: str, *, warning: bool = False, error: bool = False) -> None:
    from analyte.contract.redaction import redact
    from analyte.runtime.service.journal import Priority, goes_to_journal, log_line

    priority = Priority.ERROR if error else Priority.WARNING if warning else Priority.NOTICE
    journal = goes_to_journal(2, os.environ)
    click.echo(log_line(f"analyte daemon: {redact(text)}", priority, journal=journal), err=True)


def _print_unit(device: Path, bundle: Path | None, source: str | None, store: Path | None) -> None:
    """Print a unit for a profile and a bundle that can be used. Raises: as the daemon would."""
    from analyte.contract.errors import SettingsError
    from analyte.contract.profile import load_profile
    from analyte.runtime.service.unit import UnitOptions, unit_text
    from analyte.runtime.trust import open_for_use

    profile = load_profile(device)
    if bundle is not None:
        open_for_use(bundle, profile, where=device)
    elif profile.bundles.folder is None:
        raise SettingsError("--bundle is missing", where=device, fix="Pass it, or set bundles.folder")
    click.echo(unit_text(UnitOptions(device, bundle, source, store), profile), nl=False)


def _forget_dead_stdout() -> None:
    """Keep the interpreter from complaining, at exit, that nobody takes stdout any more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
