"""``analyte bundle``: what a bundle is, whether it is whole and whose, and moving it as one file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from analyte.runtime.commands import bundle_diff, bundle_keys, bundle_shelf
from analyte.runtime.commands.profile_path import PROFILE

# Everything that opens bundles is imported when a sub-command runs: help stays instant.


@click.group("bundle")
def command() -> None:
    """Look at a bundle, verify, sign, pack and compare it.

    Wherever a BUNDLE is asked for, the folder and the file that 'bundle pack' makes of it both do.
    """


command.add_command(bundle_keys.keygen)
command.add_command(bundle_keys.sign)
command.add_command(bundle_diff.command)
command.add_command(bundle_shelf.install)
command.add_command(bundle_shelf.promote)
command.add_command(bundle_shelf.roll_back)
command.add_command(bundle_shelf.installed)


@command.command("show")
@click.argument("bundle", type=click.Path(readable=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the manifest.")
def show(bundle: Path, as_json: bool) -> None:
    """Say what BUNDLE measures, with what, and where it comes from.

    Checks the manifest only; 'bundle verify' checks every file and the signature.
    """
    from analyte.contract.bundle import open_bundle
    from analyte.runtime.bundle_text import describe_bundle

    opened = open_bundle(bundle)
    text = opened.manifest.model_dump_json(indent=2) if as_json else describe_bundle(opened)
    # Bytes: units such as µg/mL must come out whatever the locale is.
    click.echo(text.encode())


@command.command("verify")
@click.argument("bundle", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--trust",
    multiple=True,
    metavar="KEY",
    help="Demand a signature by this public key, NAME.pub or its text; repeatable: any of them will do.",
)
@click.option("--device", type=PROFILE, help="Demand what this profile demands.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(bundle: Path, trust: tuple[str, ...], device: Path | None, as_json: bool) -> None:
    """Check every file of BUNDLE by hash and size, that there is no other, and the signature.

    Exit code 7 for damage, a wrong signature, and, where --trust or the profile demands a signature, one
    that is missing or by another key. Without such a demand it says who signed, and that is all it can
    say.

    \b
    --json prints {"passed", "problem", "bundle", "files", "bytes", "signature": {"standing", "key",
    "name"}}; standing is "trusted", "unknown key" or "unsigned"; what is not known is null.
    """
    from analyte.contract.errors import IntegrityError

    shown: dict[str, object] = {"passed": False, "problem": None, "bundle": None, "files": None}
    shown |= {"bytes": None, "signature": None}
    try:
        lines = _verify(bundle, trust, device, shown)
    except IntegrityError as error:
        if as_json:
            click.echo(json.dumps(shown | {"problem": error.line()}, indent=2))
        raise
    click.echo(json.dumps(shown | {"passed": True}, indent=2) if as_json else "\n".join(lines))


def _verify(bundle: Path, trust: tuple[str, ...], device: Path | None, shown: dict[str, object]) -> list[str]:
    """Check everything and return what to tell people; ``shown`` is filled on the way."""
    from analyte.contract.bundle import open_bundle
    from analyte.contract.profile import load_profile
    from analyte.runtime.trust import examine_signature, read_keys, trusted_by

    keys, demanded = read_keys(trust, Path()), bool(trust)
    if device is not None:
        profile = load_profile(device)
        keys += trusted_by(profile, device)
        demanded |= profile.security.require_signature
    opened = open_bundle(bundle)
    shown["bundle"] = opened.id
    found = examine_signature(opened, keys, demanded=demanded)
    shown["signature"] = {
        "standing": found.standing,
        "key": found.key.fingerprint if found.key else None,
        "name": (found.key.name or None) if found.key else None,
    }
    opened.verify()
    names = opened.files.names()
    size = sum(len(opened.files.read(name)) for name in names)
    shown |= {"files": len(names), "bytes": size}
    return [
        f"bundle     {opened.id}",
        f"files      all {len(names)} are whole, {size} bytes, and there is no other",
        f"signature  {found}",
    ]


@command.command("pack")
@click.argument("bundle", type=click.Path(readable=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(readable=False, path_type=Path),
    help="File to write, NAME.zip.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file.")
def pack(bundle: Path, out: Path, overwrite: bool) -> None:
    """Verify BUNDLE and make one file of it; the same bundle gives the same bytes on every machine.

    A device runs the file as it is: analyte read NAME.zip IMAGE.
    """
    from analyte.contract.archive import write_archive
    from analyte.contract.bundle import open_bundle
    from analyte.contract.errors import OutputError
    from analyte.contract.output import check_output
    from analyte.contract.output_file import staged_file

    check_output(out, overwrite=overwrite)
    opened = open_bundle(bundle)
    if out.absolute().parent.resolve().is_relative_to(bundle.resolve()):
        raise OutputError(
            "lies in the bundle that is packed, which may hold its own files only",
            where=out,
            expected=f"a file outside {bundle}",
            fix="Choose another folder",
        )
    opened.verify()
    with staged_file(out, overwrite=overwrite) as file:
        write_archive(opened.files.names(), opened.files.read, file)
    click.echo(f"wrote {out}: {out.stat().st_size} bytes, bundle {opened.id[:16]}")


@command.command("unpack")
@click.argument("packed", metavar="ZIP", type=click.Path(readable=False, path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(readable=False, path_type=Path), help="Folder to write."
)
@click.option("--overwrite", is_flag=True, help="Replace the folder, if it holds a bundle.")
def unpack(packed: Path, out: Path, overwrite: bool) -> None:
    """Verify ZIP, which 'bundle pack' made, and write its files into a folder.

    Refused with exit 7: links, folders, names that lead out of the folder, entries twice, encrypted,
    compressed or not in the manifest, more than 512 MiB, and any byte that 'bundle pack' would not have
    written.
    """
    from analyte.contract.bundle import open_bundle
    from analyte.contract.manifest import MANIFEST_FILE
    from analyte.contract.output import check_output, staged_folder

    check_output(out, overwrite=overwrite, marker=MANIFEST_FILE)
    opened = open_bundle(packed)
    opened.verify()
    with staged_folder(out, overwrite=overwrite, marker=MANIFEST_FILE) as folder:
        for name in opened.files.names():
            (folder / name).write_bytes(opened.files.read(name))
        # What the disk kept is what counts.
        open_bundle(folder).verify()
    click.echo(f"wrote {out}: {len(opened.files.names())} files, bundle {opened.id[:16]}")
