"""``analyte device``: which profiles there are, what one needs, whether it is here, what is fastest."""

from __future__ import annotations

import dataclasses
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.runtime.commands.profile_path import PROFILE

if TYPE_CHECKING:
    from analyte.runtime.device.finding import Finding
    from analyte.runtime.device.tuning import Tuned


@click.group("device")
def command() -> None:
    """Look at device profiles, compare one with this machine, and tune it.

    A PROFILE is a file, or the name of a shipped one such as raspberry-pi-5.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_profiles(as_json: bool) -> None:
    """List the profiles that are shipped, what each is for, and what of it was run on what."""
    from analyte.runtime.device.shipped import shipped_profiles

    found = shipped_profiles()
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(profile) for profile in found], indent=2))
        return
    for profile in found:
        click.echo(f"{profile.name}\n  {profile.purpose}\n  Run: {profile.run}")


@command.command("show")
@click.argument("profile", type=PROFILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(profile: Path, as_json: bool) -> None:
    """Print PROFILE as it takes effect, defaults included. Passwords in stream addresses are left out."""
    from analyte.contract.profile import load_profile
    from analyte.runtime.device.effective import effective, effective_lines

    loaded = load_profile(profile)
    shown = json.dumps(effective(loaded), indent=2) if as_json else "\n".join(effective_lines(loaded))
    # Bytes: names such as µ must come out whatever the locale is.
    click.echo(shown.encode())


@command.command("check")
@click.argument("profile", type=PROFILE)
@click.option(
    "--bundle",
    type=click.Path(readable=False, path_type=Path),
    help="Also open this bundle and self-test it.",
)
@click.option("--source", help="Look for this camera, file or stream; else the profile's.")
@click.option("--source-test", is_flag=True, help="Take a frame; try region and white patch.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(
    ctx: click.Context,
    profile: Path,
    bundle: Path | None,
    source: str | None,
    source_test: bool,
    as_json: bool,
) -> None:
    """Compare PROFILE with this machine; say what is missing and the command that mends it.

    Changes and installs nothing. Run it in the daemon's folder and as its user. Exit code 0 when nothing is
    missing, else that of the first missing thing: 5 engine or provider, 6 camera, 3 configuration, memory
    or disk, 4 self-test, 7 integrity.

    \b
    --json prints {"passed", "profile", "findings": [{"check", "status", "found", "fix", "exit_code"}]};
    status is "ok", "warning" or "missing".
    """
    from analyte.runtime.device.checks import CheckOptions, check_device
    from analyte.runtime.device.finding import exit_code

    findings = check_device(profile, CheckOptions(bundle, source, source_test))
    code = exit_code(findings)
    if as_json:
        rows = [dataclasses.asdict(finding) for finding in findings]
        shown = {"passed": code == 0, "profile": str(profile), "findings": rows}
        click.echo(json.dumps(shown, indent=2))
    else:
        click.echo("\n".join(_lines(findings)).encode())
    ctx.exit(code)


@command.command("tune")
@click.argument("bundle", type=click.Path(readable=False, path_type=Path))
@click.option("--device", required=True, type=PROFILE, help="Profile to tune.")
@click.option(
    "-o",
    "--output",
    type=click.Path(readable=False, path_type=Path),
    help="Write here; else into the profile.",
)
@click.option("--dry-run", is_flag=True, help="Measure and show, write nothing.")
@click.option("--repeats", type=click.IntRange(1), help="Timed runs of each case [default: 2.5 s of each].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tune_profile(
    bundle: Path, device: Path, output: Path | None, dry_run: bool, repeats: int | None, as_json: bool
) -> None:
    """Measure BUNDLE's artifacts on every provider and number of threads here; keep the fastest.

    Only what passes the self-test is chosen. Under [engine] of the profile, name, provider, threads and
    artifacts are rewritten; comments and all else stay.
    """
    from analyte.contract.errors import ProfileError
    from analyte.contract.output_file import staged_file
    from analyte.contract.profile import load_profile
    from analyte.runtime.device.editing import edit_engine
    from analyte.runtime.device.shipped import is_shipped
    from analyte.runtime.device.tuning import changes_for, tune
    from analyte.runtime.progress import progress
    from analyte.runtime.trust import open_for_use

    if output is None and not dry_run:
        if is_shipped(device):
            raise click.UsageError("a shipped profile is not changed: name a file with -o OUT")
        # Its place would be taken by a new file, which no permission of its own prevents.
        if device.exists() and not device.stat().st_mode & stat.S_IWUSR:
            raise ProfileError(
                "is write-protected", where=device, fix="chmod u+w it, or write elsewhere: -o OUT"
            )
    profile = load_profile(device)
    if output is not None and output.exists():
        raise ProfileError("exists already", where=output, fix="Choose another name")
    text = device.read_bytes().decode("utf-8-sig")
    # Before minutes of measuring: an edit of nothing finds out whether it can be edited.
    edit_engine(text, {}, where=device)
    opened = open_for_use(bundle, profile, where=device)
    with progress("tune") as on_progress:
        tuned = tune(opened, profile, where=device, repeats=repeats, on_progress=on_progress)
    edited = edit_engine(text, changes_for(tuned, profile.engine), where=device)
    target = None if dry_run else output or device
    if target is not None:
        with staged_file(target, overwrite=output is None) as file:
            file.write(edited.encode("utf-8"))
    if as_json:
        shown = dataclasses.asdict(tuned) | {"written": None if target is None else str(target)}
        click.echo(json.dumps(shown, indent=2, allow_nan=False))
    else:
        click.echo("\n".join(_tuned_lines(tuned, target)).encode())


def _lines(findings: list[Finding]) -> list[str]:
    width = max(len(finding.check) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:8} {finding.check:{width}}  {finding.found}")
        if finding.fix is not None:
            lines.append(f"{'':8} {'':{width}}  -> {finding.fix}")
    count = sum(finding.status == "missing" for finding in findings)
    return [*lines, f"{count} missing" if count else "nothing is missing"]


def _tuned_lines(tuned: Tuned, target: Path | None) -> list[str]:
    from analyte.runtime.cases import skipped_lines
    from analyte.runtime.tables import format_table

    header = ("artifact", "engine", "provider", "threads", "p50, us", "p99, us", "parity")
    rows = [
        (
            row.artifact,
            row.engine,
            row.provider,
            str(row.threads),
            f"{row.p50_us:.0f}",
            f"{row.p99_us:.0f}",
            "ok" if row.passed else "FAILED",
        )
        for row in tuned.rows
    ]
    return [
        format_table(header, rows, right=frozenset((3, 4, 5))),
        *skipped_lines(tuned.skipped),
        *(f"not chosen: {line}" for line in tuned.rejected),
        f"{tuned.why}.",
        "Nothing was written." if target is None else f"Written to {target}.",
    ]
