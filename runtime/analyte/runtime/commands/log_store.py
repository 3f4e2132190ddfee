"""Which store a command of ``analyte log`` is about."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from analyte.runtime.commands.profile_path import PROFILE

P = ParamSpec("P")
R = TypeVar("R")


def store_options(
    function: Callable[Concatenate[Path, Path | None, P], R],
) -> Callable[P, R]:
    """Add ``--store`` and ``--device``; call ``function`` with the store's path and the profile's."""

    @click.option("--store", type=click.Path(readable=False, path_type=Path), help="The store's SQLite file.")
    @click.option("--device", type=PROFILE, help="Profile that names it, from the folder you are in.")
    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        store, device = kwargs.pop("store"), kwargs.pop("device")
        assert store is None or isinstance(store, Path)
        assert device is None or isinstance(device, Path)
        return function(_path(store, device), device, *args, **kwargs)

    return wrapped


def span(since: str | None, until: str | None) -> tuple[str | None, str | None]:
    """Return ``--since`` and ``--until`` as the store writes times, UTC.

    Raises: InputError for what is no time; SettingsError where nothing can lie between the two.
    """
    from analyte.contract.errors import SettingsError
    from analyte.runtime.store.times import utc

    first, end = (None if text is None else utc(text) for text in (since, until))
    if first is not None and end is not None and first >= end:
        raise SettingsError(
            "--until: nothing lies between the two times", expected=f"later than {first}", got=end
        )
    return first, end


def _path(store: Path | None, device: Path | None) -> Path:
    if store is not None:
        return store
    if device is None:
        raise click.UsageError("Name the record with --store FILE or --device PROFILE.")
    from analyte.contract.profile import load_profile

    return load_profile(device).storage.path
