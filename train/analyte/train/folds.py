"""Which samples a fold trains on and which it holds out; no group is on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyte.contract.errors import SettingsError

BY_SESSION = "session"
"""Folds: each session is held out once."""
_LEAST_TRAIN = 8


def split_folds(
    groups: Sequence[str], sessions: Sequence[str], folds: int | str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return indices to train on and to hold out, per fold. No group is on both sides.

    ``groups``, ``sessions``: of each sample, ``[N]``. ``folds``: a number of grouped folds, or `BY_SESSION`.
    A specimen that was photographed in several sessions leaves training with each of them.
    Raises: SettingsError when there are fewer groups than folds, or too little to train on.
    """
    # Here, for scikit-learn takes half a second to import.
    from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

    by_session = folds == BY_SESSION
    keys = sessions if by_session else groups
    kind, present = ("session" if by_session else "group"), len(set(keys))
    wanted = present if by_session else int(folds)
    if not 2 <= wanted <= present:
        raise SettingsError(
            f"more folds than {kind}s" if wanted > present else f"folds need two {kind}s or more",
            where="--folds",
            expected=f"2 to {present} folds" if present > 1 else "2 folds or more",
            got=f"{wanted} folds, and {present} {kind}{'s' * (present != 1)} outside of the test split",
            fix=f"Ask for {present} folds at most" if present > 1 else f"Name {kind}s in a {kind} column",
        )
    splitter = LeaveOneGroupOut() if by_session else GroupKFold(wanted)
    of_sample = np.asarray(groups, np.str_)
    found = [
        (without_groups_of(of_sample, np.asarray(a), np.asarray(b)), np.asarray(b))
        for a, b in splitter.split(np.arange(len(keys)), groups=keys)
    ]
    fewest = min(found, key=lambda fold: len(fold[0]))[0]
    least_keys = min(len({keys[i] for i in inside}) for inside, _ in found)
    if len(fewest) < _LEAST_TRAIN or least_keys < 2:
        more = wanted < present and not by_session
        raise SettingsError(
            "a fold would leave too few samples to train on",
            where="--folds",
            expected=f"{_LEAST_TRAIN} samples of 2 {kind}s beside it",
            got=f"{len(fewest)} samples of {least_keys}, {present} {kind}s in all",
            fix=f"Ask for more folds, {present} at most, or leave --folds out" if more
            else "Leave --folds out, or add samples",
        )  # fmt: skip
    return found


def without_groups_of(groups: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return those indices of ``inside`` whose group stands not in ``outside``; ``groups``: ``[N]``."""
    return inside[~np.isin(groups[inside], groups[outside])]
