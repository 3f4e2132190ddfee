"""What a sweep leaves for people and programs: `sweep.json`, `trials.csv`, `sweep.png`, a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analyte.contract.tables import format_table
from analyte.train.sweep.search_space import Value
from analyte.train.sweep.study import SweepRecord
from analyte.train.sweep.trial import TrialResult

RECORD_NAME = "sweep.json"
TRIALS_NAME = "trials.csv"
PICTURE_NAME = "sweep.png"

_PER_ROW = 3
_LOG_RATIO = 20.0
"""A parameter whose values span more than this factor is drawn on a logarithmic axis."""


def write_outcome(record: SweepRecord, folder: Path) -> None:
    """Write ``sweep.json`` and ``trials.csv``, each in one step: whoever reads them finds them whole."""
    draft = folder / f".{RECORD_NAME}"
    draft.write_text(record.model_dump_json(indent=2) + "\n", "utf-8")
    draft.replace(folder / RECORD_NAME)
    draft = folder / f".{TRIALS_NAME}"
    with draft.open("w", newline="", encoding="utf-8") as file:
        names = _setting_names(record.trials)
        writer = csv.writer(file)
        writer.writerow(
            [
                *("trial", "status", f"error_{record.unit}", f"baseline_{record.unit}"),
                *("parameters", "seconds", *names, "run", "reason"),
            ]
        )
        for t in record.trials:
            settings = [t.settings.get(name, "") for name in names]
            cells = [
                t.number,
                t.status,
                t.error,
                t.baseline,
                t.parameters,
                t.seconds,
                *settings,
                t.run,
                t.reason,
            ]
            writer.writerow(["" if cell is None else cell for cell in cells])
    draft.replace(folder / TRIALS_NAME)


def trials_table(record: SweepRecord) -> str:
    """Return one row per trial that ended, best first."""
    rows = []
    for trial in record.trials:
        settings = [_shown(trial.settings.get(name, "")) for name in record.searched]
        if trial.error is None:
            rows.append((str(trial.number), trial.status, "", "", *settings))
        else:
            assert trial.seconds is not None
            rows.append((str(trial.number), f"{trial.error:.4g}", f"{trial.baseline:.4g}",
                         f"{trial.seconds:.0f}", *settings))  # fmt: skip
    header = ("trial", f"MAE, {record.unit}", "baseline", "s", *record.searched)
    return f"{record.objective}, {record.unit}\n{format_table(header, rows, right=frozenset(range(4)))}"


def draw_outcome(record: SweepRecord, path: Path) -> None:
    """Draw the error against every parameter that was searched, one panel each, as a PNG."""
    finished = [trial for trial in record.trials if trial.error is not None]
    names = record.searched or ("trial",)
    rows = -(-len(names) // _PER_ROW)
    columns = min(len(names), _PER_ROW)
    figure = Figure(figsize=(4.2 * columns, 3.4 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for number, axes in enumerate(panels.flat):
        if number < len(names):
            _draw_panel(axes, names[number], finished)
        else:
            axes.axis("off")
    for line in panels:
        line[0].set_ylabel(f"MAE, {record.unit}")
    figure.suptitle(f"{record.dataset}: {record.objective}, {len(finished)} trials", fontsize=11)
    figure.savefig(path, dpi=110)


def _draw_panel(axes: Axes, name: str, trials: Sequence[TrialResult]) -> None:
    values = [trial.settings.get(name, trial.number) for trial in trials]
    errors = [trial.error or 0.0 for trial in trials]
    numbers = [
        float(value) for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    if len(numbers) == len(values):
        places = numbers
        if min(numbers) > 0 and max(numbers) > _LOG_RATIO * min(numbers):
            axes.set_xscale("log")
    else:
        words = sorted({_shown(value) for value in values})
        places = [float(words.index(_shown(value))) for value in values]
        axes.set_xticks(range(len(words)), words)
        axes.set_xlim(-0.5, len(words) - 0.5)
    axes.scatter(places, errors, s=22, alpha=0.7, color="#0b6e99", edgecolors="none")
    # The first is the best.
    axes.scatter(places[:1], errors[:1], s=60, facecolors="none", edgecolors="#c0392b", label="best")
    axes.set_xlabel(name)
    axes.legend(fontsize=8)


def _setting_names(trials: Sequence[TrialResult]) -> list[str]:
    return list(dict.fromkeys(name for trial in trials for name in trial.settings))


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
