"""What ``--device`` takes: a profile's file, or the name of a shipped one."""

from __future__ import annotations

from pathlib import Path

import click


class ProfilePath(click.ParamType):  # type: ignore[type-arg] # generic in click 8.3 only
    """Gives the path of a profile's file. Raises: ProfileError that lists the names there are."""

    name = "profile"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the file that a path or a name stands for."""
        # Finding imports pydantic's errors: help stays instant.
        from analyte.runtime.device.shipped import find_profile

        return find_profile(Path(value))


PROFILE = ProfilePath()
