"""``analyte token``: who may use a device's page and API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from analyte.contract.event import Role
from analyte.runtime.commands.finite_range import FiniteRange
from analyte.runtime.serve.tokens import TokenFile

_FILE = click.argument("file", type=click.Path(readable=False, path_type=Path))
_ROLES = (Role.VIEWER, Role.OPERATOR, Role.SUPERVISOR)


@click.group("token")
def command() -> None:
    """Give out, list and take back tokens of a device's page; FILE is the profile's serve.tokens."""


@command.command("add")
@_FILE
@click.argument("name")
@click.option("--role", type=click.Choice([str(role) for role in _ROLES]), required=True)
@click.option(
    "--days",
    type=FiniteRange(min=0, min_open=True, max=36500),
    help="Valid for so many days [default: for ever].",
)
def add(file: Path, name: str, role: str, days: float | None) -> None:
    """Make a token and write it to standard output, this once."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    click.echo(TokenFile(file).add(name, Role(role), expires))


@command.command("list")
@_FILE
def list_(file: Path) -> None:
    """List names, roles and ends."""
    now = datetime.now(UTC)
    for record in TokenFile(file).records():
        end = "never expires" if record.expires is None else f"until {record.expires}"
        click.echo(f"{record.name}\t{record.role}\t{'expired' if record.expired(now) else end}")


@command.command("remove")
@_FILE
@click.argument("name")
def remove(file: Path, name: str) -> None:
    """Take a token back."""
    TokenFile(file).remove(name)
