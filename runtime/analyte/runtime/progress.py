"""A progress bar for the device's commands, which do without tqdm."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import click

_STEPS = 1000


@contextlib.contextmanager
def progress(label: str) -> Iterator[Callable[[float], None]]:
    """Draw a bar on stderr where that is a terminal; the function given takes the share that was just done.

    Shares sum to 1.
    """
    if not sys.stderr.isatty():
        yield lambda share: None
        return
    with click.progressbar(length=_STEPS, label=label, file=sys.stderr) as bar:
        done = 0.0

        def on_progress(share: float) -> None:
            nonlocal done
            done += share
            bar.update(round(_STEPS * done) - bar.pos)

        yield on_progress
