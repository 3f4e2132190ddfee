"""``analyte daemon``: measure what a camera sees, continuously."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from analyte.contract.errors import AnalyteError, CameraError
from analyte.runtime.commands.profile_path import PROFILE


@click.command()
@click.option("--device", required=True, type=PROFILE, help="Device profile (TOML).")
@click.option(
    "--bundle",
    type=click.Path(readable=False, path_type=Path),
    help="Bundle to run; else what bundles.folder runs.",
)
@click.option("--source", help="Camera index, video, folder of pictures or URL; else the profile's.")
@click.option(
    "--store", type=click.Path(readable=False, path_type=Path), help="SQLite file; else the profile's."
)
@click.option("--max-readings", type=click.IntRange(min=1), help="Stop after so many readings.")
def command(
    device: Path, bundle: Path | None, source: str | None, store: Path | None, max_readings: int | None
) -> None:
    """Measure continuously: each reading goes to the store, then to stdout as one line of JSON.

    Stops cleanly on SIGTERM and SIGINT; the last lines on stderr say why it stopped.
    """
    from analyte.runtime.stopping import stop_on_signals

    with stop_on_signals() as stop:
        from analyte.runtime.daemon import DaemonOptions, run_daemon
        from analyte.runtime.recorder import Tally
        from analyte.runtime.sinks import JsonLines

        tally = Tally()
        options = DaemonOptions(device, bundle, source, store, max_readings)
        try:
            reason = run_daemon(options, JsonLines(sys.stdout.buffer), stop, _report, tally)
        except AnalyteError as error:
            # Where nothing was measured yet, the error's own line says it all.
            if tally.readings or isinstance(error, CameraError):
                _report(f"stopped: {error.what} ({tally})")
            raise
        finally:
            _forget_dead_stdout()
        _report(f"stopped: {reason} ({tally})")


def _report(text: str) -> None:
    from analyte.contract.redaction import redact

    click.echo(f"analyte daemon: {redact(text)}", err=True)


def _forget_dead_stdout() -> None:
    """Keep the interpreter from complaining, at exit, that nobody takes stdout any more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
