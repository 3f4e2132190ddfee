"""Who may do what, and the reasons that they give."""

from __future__ import annotations

from analyte.contract.errors import InputError, RoleError
from analyte.contract.event import Role

_ORDER = (Role.VIEWER, Role.OPERATOR, Role.SUPERVISOR)


def demand(role: Role, least: Role, doing: str) -> None:
    """Refuse what takes another role; the device itself is no person. Raises: RoleError."""
    if role not in _ORDER or _ORDER.index(role) < _ORDER.index(least):
        raise RoleError(f"{doing} takes another role", expected=f"{least} or above", got=role)


def required_reason(why: str) -> str:
    """Return a reason as it is kept. Raises: InputError where there is none."""
    if not why.strip():
        raise InputError("a reason is needed", fix="Say what was found and done: --why TEXT")
    return plain_text(why)


def plain_text(given: str) -> str:
    """Return what a person wrote as it is kept. Raises: InputError for what is no text."""
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise InputError("is no text in UTF-8", got=ascii(given)) from error
    return given.strip()
