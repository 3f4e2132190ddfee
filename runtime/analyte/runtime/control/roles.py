"""Who may do what."""

from __future__ import annotations

from analyte.contract.errors import RoleError
from analyte.contract.event import Role

_ORDER = (Role.VIEWER, Role.OPERATOR, Role.SUPERVISOR)


def demand(role: Role, least: Role, doing: str) -> None:
    """Refuse what takes another role; the device itself is no person. Raises: RoleError."""
    if role not in _ORDER or _ORDER.index(role) < _ORDER.index(least):
        raise RoleError(f"{doing} takes another role", expected=f"{least} or above", got=role)
