"""The command line. Commands are named here and loaded only when called, so that help stays instant."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from typing import NamedTuple, NoReturn

import click


class Command(NamedTuple):
    """Where a command lives, what it is for, and the extra that installs what it needs."""

    module: str
    help: str
    extra: str


COMMANDS: dict[str, Command] = {
    "demo": Command("analyte.demo", "Simulate, train, export, prove and run, in one go.", "train,export"),
    "simulate": Command("analyte.train.commands.simulate", "Photograph a simulated reaction.", "train"),
    "recipes": Command(
        "analyte.train.commands.recipes", "List the network recipes with their cost.", "train"
    ),
    "data": Command("analyte.train.commands.data", "Check a dataset, count and draw what is in it.", "train"),
    "train": Command("analyte.train.commands.train", "Fit a regressor to photographs.", "train"),
    "sweep": Command("analyte.train.commands.sweep", "Search for the best settings.", "train,scale"),
    "evaluate": Command(
        "analyte.export.commands.evaluate", "Errors of a run or a bundle on a dataset.", "export"
    ),
    "report": Command("analyte.train.commands.report", "Write an HTML page that a lab can file.", "train"),
    "export": Command("analyte.export.commands.export", "Write a bundle that a device can run.", "export"),
    "parity": Command("analyte.export.commands.parity", "Compare every artifact with Keras.", "export"),
    "selftest": Command(
        "analyte.runtime.commands.selftest", "Compare a bundle with its golden set, here.", "cpu"
    ),
    "benchmark": Command(
        "analyte.runtime.commands.benchmark", "Size, speed, memory and error of every artifact, here.", "cpu"
    ),
    "bundle": Command("analyte.runtime.commands.bundle", "Show, verify, sign, pack, compare bundles.", "cpu"),
    "read": Command("analyte.runtime.commands.read", "Measure photographs.", "cpu"),
    "region": Command("analyte.runtime.commands.region", "Show where in a photograph is measured.", "cpu"),
    "quality": Command(
        "analyte.runtime.commands.quality", "Learn what a good photograph is, for a profile.", "cpu"
    ),
    "colour": Command(
        "analyte.runtime.commands.colour",
        "Calibrate a camera's colours, check that, correct a dataset.",
        "cpu",
    ),
    "device": Command(
        "analyte.runtime.commands.device", "Look at device profiles, check this machine, tune one.", "cpu"
    ),
    "log": Command("analyte.runtime.commands.log", "Look at a device's record, verify it, export it.", "cpu"),
    "qc": Command("analyte.runtime.commands.qc", "Control samples, lock-out, recalibration.", "cpu"),
    "token": Command("analyte.runtime.commands.token", "Who may use a device's page and API.", "serve"),
    "daemon": Command("analyte.runtime.commands.daemon", "Measure what a camera sees, continuously.", "cpu"),
}


class LazyGroup(click.Group):
    """A click group that imports a command's module when the command is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work: simulate, train, export, run."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; each module names its own ``command``."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(entry.module)
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command table from the mapping, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="analyte", prog_name="analyte")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Read concentrations from photographs: train, export, prove, run.

    Exit codes: 0 ok, 2 usage, 3 bad input or configuration, 4 parity, self-test or control failed, 5 engine
    or provider unavailable, 6 camera, 7 integrity. 130 is Ctrl-C.
    """
    ctx.obj = {"debug": debug}


def main() -> None:
    """Run the command line and turn every error into one line and an exit code."""
    _hold_standard_streams()
    debug = "--debug" in sys.argv[1:]
    if debug:
        # Accepted after the command's name too: that is where people add it.
        sys.argv = [sys.argv[0], "--debug", *(word for word in sys.argv[1:] if word != "--debug")]
    try:
        result = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        _end(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as stop:
        if isinstance(stop.__cause__, EOFError):  # click takes a file that ends early for Ctrl-D
            _end(_report(stop.__cause__, debug=debug))
        click.echo("analyte: stopped by Ctrl-C", err=True)
        _end(130)
    except Exception as error:  # noqa: BLE001 - the last resort: users get a line, not a traceback
        _end(_report(error, debug=debug))
    # Click returns the code of an `Exit` here instead of raising it; a command itself returns None.
    _end(result if isinstance(result, int) else 0)


def _hold_standard_streams() -> None:
    """Open on the null device what whoever started this has closed of 0, 1 and 2.

    Else the next file to be opened, such as the store, takes the number, and what libraries print goes into
    it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # It gets the lowest number that is free: this one.
            os.open(os.devnull, os.O_RDWR)
    for name, standard in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(standard, "w", encoding="utf-8", errors="backslashreplace"))


def _end(exit_code: int) -> NoReturn:
    """Leave with ``exit_code``, also where a camera's driver hangs and keeps its thread.

    Should that wake while the interpreter takes itself apart, C++ ends the process with a code of its own.
    """
    if any(thread.name == "camera" for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(exit_code)
    sys.exit(exit_code)


def _report(error: Exception, *, debug: bool) -> int:
    """Print ``error`` as one line (with its traceback under ``--debug``) and return the exit code."""
    from analyte.contract.errors import AnalyteError
    from analyte.contract.output import from_os_error

    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, OSError):
        error = from_os_error(error)
    if isinstance(error, ModuleNotFoundError):
        error = _missing_module(error)
    if isinstance(error, AnalyteError):
        click.echo(f"analyte: {error.line()}", err=True)
        return error.exit_code
    line = " ".join(f"unexpected {type(error).__name__}: {error}".split())
    click.echo(f"analyte: {line}. Run again with --debug and report it", err=True)
    return AnalyteError.exit_code


def _missing_module(error: ModuleNotFoundError) -> Exception:
    """Name the extra of the command that was called. A missing module of our own stays what it is: a bug."""
    from analyte.contract.errors import UnavailableError

    name = next((word for word in sys.argv[1:] if word in COMMANDS), None)
    if name is None or (error.name or "").startswith("analyte"):
        return error
    return UnavailableError(
        f"'analyte {name}' needs a package that is not installed",
        got=f"no module named {error.name!r}",
        fix=f"pip install 'analyte[{COMMANDS[name].extra}]'",
    )


if __name__ == "__main__":
    main()
