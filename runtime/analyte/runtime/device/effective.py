"""A profile as it takes effect: every key, defaults included, without a password."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from analyte.contract.profile import DeviceProfile
from analyte.contract.redaction import redact


def effective(profile: DeviceProfile) -> dict[str, Any]:
    """Return every key of a profile, JSON types only; whatever may be a credential in a URL is ``***``."""
    shown: dict[str, Any] = _redacted(profile.model_dump(mode="json"))
    return shown


def effective_lines(profile: DeviceProfile) -> list[str]:
    """Return the same as TOML, one dotted key per line; a key without a value or a default is a comment."""
    given = profile.model_dump(mode="json", exclude_unset=True)
    return [
        _line(keys, value, default=not _contains(given, keys)) for keys, value in _leaves(effective(profile))
    ]


def _leaves(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _line(keys: tuple[str, ...], value: Any, *, default: bool) -> str:
    name = ".".join(
        key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key) for key in keys
    )
    if value is None:
        return f"# {name} is not set"
    # Of what a profile holds, JSON and TOML write all but an empty table alike.
    return f"{name} = {json.dumps(value, ensure_ascii=False)}" + ("  # default" if default else "")


def _contains(tree: Any, keys: tuple[str, ...]) -> bool:
    for key in keys:
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    return [_redacted(inner) for inner in value] if isinstance(value, list) else value
