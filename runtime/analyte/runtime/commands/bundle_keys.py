"""``analyte bundle keygen`` and ``analyte bundle sign``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("keygen")
@click.argument("name")
@click.option(
    "-o",
    "--out",
    type=click.Path(readable=False, path_type=Path),
    default=Path(),
    help="Folder for the keys [default: here].",
)
@click.option("--overwrite", is_flag=True, help="Replace keys of that name: what they signed stays theirs.")
def keygen(name: str, out: Path, overwrite: bool) -> None:
    """Make a key pair to sign bundles with: NAME.key, secret, and NAME.pub, for devices to trust.

    Ed25519, in the formats of OpenSSH. The secret key has mode 0600 and no passphrase: keep it off
    devices.
    """
    from analyte.runtime.signing import make_key

    pair = make_key(name, out, overwrite=overwrite)
    click.echo(f"{pair.private}: secret, sign with it: analyte bundle sign BUNDLE --key {pair.private}")
    click.echo(f"{pair.public}: list it in security.trusted_keys of the devices' profiles")
    click.echo(f"{pair.key.name} {pair.key.fingerprint}")


@click.command("sign")
@click.argument("bundle", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--key",
    required=True,
    type=click.Path(readable=False, path_type=Path),
    help="Secret key, NAME.key of 'bundle keygen'.",
)
@click.option("--overwrite", is_flag=True, help="Replace the signature that it has.")
def sign(bundle: Path, key: Path, overwrite: bool) -> None:
    """Verify BUNDLE and sign its manifest, which holds the hashes of all other files.

    Writes manifest.sig into the folder, or packs the file anew with it.
    """
    from analyte.runtime.signing import sign_bundle

    signature = sign_bundle(bundle, key, overwrite=overwrite)
    click.echo(f"signed {bundle} with {signature.key.fingerprint}")
