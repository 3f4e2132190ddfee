"""``analyte selftest``: compare a bundle with its golden set, on this device."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from analyte.runtime.commands.profile_path import PROFILE


@click.command()
@click.argument("bundle", type=click.Path(readable=False, path_type=Path))
@click.option("--device", type=PROFILE, help="Test what this profile runs, as it runs it.")
@click.option("--artifact", "names", multiple=True, help="Test this artifact; may be given more than once.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(bundle: Path, device: Path | None, names: tuple[str, ...], as_json: bool) -> None:
    """Verify every file of BUNDLE and compare its artifacts with Keras' values for the golden set.

    int8 kernels differ between processors: run this on each kind of device. Exit code 4 when an artifact
    deviates by more than its tolerance.
    """
    from analyte.contract.errors import ParityError
    from analyte.contract.profile import load_profile
    from analyte.runtime.selftest import candidates, run_selftest
    from analyte.runtime.tables import deviation_table
    from analyte.runtime.trust import open_for_use

    profile = load_profile(device) if device is not None else None
    opened = open_for_use(bundle, profile, where=device)
    chosen = candidates(opened, profile, names, _report)
    results = run_selftest(opened, chosen, _report, skip_unavailable=profile is None and not names)
    passed = all(result.passed for result in results)
    if as_json:
        rows = [dataclasses.asdict(result) for result in results]
        click.echo(json.dumps({"passed": passed, "results": rows}, indent=2, allow_nan=False))
    else:
        click.echo(deviation_table(results, opened.manifest.label.unit))
    if not passed:
        failed = sorted({result.artifact for result in results if not result.passed})
        raise ParityError(
            f"self-test failed for {', '.join(failed)}",
            where=bundle,
            fix="Do not use it on this device: export it again, or choose another artifact",
        )


def _report(text: str) -> None:
    click.echo(f"analyte selftest: {text}", err=True)
