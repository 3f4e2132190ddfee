"""What a dataset holds, in figures: counts, values, and how its pictures are exposed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyte.contract.dataset import SPLITS, Sample
from analyte.train.inspection.exposure import over_exposed, under_exposed
from analyte.train.inspection.inspection import Inspection
from analyte.train.inspection.values import bin_edges, levels_of

UNASSIGNED = "unassigned"
"""Stands for a split where the labels give none."""


@dataclass(frozen=True, slots=True)
class LevelCount:
    """How often one value occurs."""

    value: float
    """Label's unit."""
    samples: dict[str, int]
    """By split; splits without any are left out."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many samples lie in equal parts of the declared range."""

    edges: list[float]
    """Label's unit; one more than there are parts."""
    samples: dict[str, list[int]]
    """By split, one number per part; the upper end of the range counts in the last."""


@dataclass(frozen=True, slots=True)
class SessionCount:
    """What one session holds."""

    session: str
    samples: int
    groups: int
    splits: dict[str, int]
    lowest: float
    """Lowest value, label's unit."""
    highest: float
    """Highest value, label's unit."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """The pictures of one view in one session, in one split, or in all."""

    view: str
    split: str | None
    """None where it is about more than a split."""
    session: str | None
    """None where it is about more than a session."""
    pictures: int
    mean_rgb: list[float]
    """Mean of R, G and B over regions, then pictures, 0 to 255."""
    black: list[float]
    """Share of pixels, 0 to 1, whose R, G or B is clipped at 0 (at most 1)."""
    white: list[float]
    """Share of pixels, 0 to 1, whose R, G or B is clipped at 255 (at least 254)."""
    over_exposed: int
    """Pictures that `data check` calls over-exposed."""
    under_exposed: int
    """Pictures that `data check` calls under-exposed."""
    sharpness: float
    """Median variance of the Laplacian of the network's picture, 8-bit levels squared."""


@dataclass(frozen=True, slots=True)
class SizeCount:
    """How many regions of a view, or pictures where there are no regions, have one size."""

    view: str
    width_px: int
    height_px: int
    pictures: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of one dataset; its fields are those of ``data stats --json``."""

    name: str
    analyte: str
    unit: str
    range: list[float]
    views: list[str]
    samples: int
    pictures: int
    network_px: int
    """Edge of the picture for which sharpness is given, pixels."""
    splits: dict[str, int]
    groups: dict[str, int]
    """``count``, and the samples of the ``smallest`` and ``largest``."""
    sessions: list[SessionCount]
    """Empty where sessions are nothing but specimens."""
    levels: list[LevelCount] | None
    """None where values are continuous."""
    histogram: Histogram
    exposure: list[Exposure]
    """By view: all pictures, then each split, then each session."""
    sizes: list[SizeCount]
    """By view, the most frequent first."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON takes them."""
        return asdict(self)


def statistics_of(inspection: Inspection) -> Statistics:
    """Count and measure a dataset all of whose pictures can be read."""
    spec, samples = inspection.dataset.spec, inspection.samples
    groups = Counter(sample.group for sample in samples)
    levels = levels_of(inspection.values)
    return Statistics(
        name=spec.name,
        analyte=spec.analyte,
        unit=spec.unit,
        range=list(spec.range),
        views=list(spec.views),
        samples=len(samples),
        pictures=len(samples) * len(spec.views),
        network_px=inspection.survey.network_px,
        splits=by_split(samples),
        groups={"count": len(groups), "smallest": min(groups.values()), "largest": max(groups.values())},
        sessions=_sessions(inspection),
        levels=None
        if levels is None
        else [LevelCount(level, by_split([s for s in samples if s.value == level])) for level in levels],
        histogram=_histogram(inspection),
        exposure=_exposures(inspection),
        sizes=_sizes(inspection),
    )


def split_of(sample: Sample) -> str:
    """Return the split's name."""
    return sample.split or UNASSIGNED


def by_split(samples: Sequence[Sample]) -> dict[str, int]:
    """Return the number of samples of each split that has any, training first."""
    found = Counter(split_of(sample) for sample in samples)
    return {name: found[name] for name in (*SPLITS, UNASSIGNED) if found[name]}


def _sessions(inspection: Inspection) -> list[SessionCount]:
    result: list[SessionCount] = []
    for name, indices in (inspection.sessions() or {}).items():
        members = [inspection.samples[index] for index in indices]
        values = [sample.value for sample in members]
        result.append(
            SessionCount(
                session=name,
                samples=len(members),
                groups=len({sample.group for sample in members}),
                splits=by_split(members),
                lowest=min(values),
                highest=max(values),
            )
        )
    return result


def _histogram(inspection: Inspection) -> Histogram:
    edges = bin_edges(*inspection.dataset.spec.range)
    return Histogram(
        edges=edges.tolist(),
        samples={
            split: np.histogram([s.value for s in inspection.samples if split_of(s) == split], edges)[
                0
            ].tolist()
            for split in by_split(inspection.samples)
        },
    )


def _exposures(inspection: Inspection) -> list[Exposure]:
    over, under = over_exposed(inspection.survey), under_exposed(inspection.survey)
    splits = np.asarray([split_of(sample) for sample in inspection.samples], np.str_)
    parts: list[tuple[str | None, str | None, npt.NDArray[np.intp]]] = [(None, None, np.arange(len(splits)))]
    parts += [(name, None, np.flatnonzero(splits == name)) for name in by_split(inspection.samples)]
    parts += [(None, name, indices) for name, indices in (inspection.sessions() or {}).items()]
    survey = inspection.survey
    return [
        Exposure(
            view=view,
            split=split,
            session=session,
            pictures=len(chosen),
            mean_rgb=np.round(survey.mean_rgb[chosen, position].mean(axis=0), 2).tolist(),
            black=np.round(survey.black[chosen, position].mean(axis=0), 5).tolist(),
            white=np.round(survey.white[chosen, position].mean(axis=0), 5).tolist(),
            over_exposed=int(over[chosen, position].sum()),
            under_exposed=int(under[chosen, position].sum()),
            sharpness=round(float(np.median(survey.sharpness[chosen, position])), 2),
        )
        for position, view in enumerate(inspection.dataset.spec.views)
        for split, session, chosen in parts
    ]


def _sizes(inspection: Inspection) -> list[SizeCount]:
    result: list[SizeCount] = []
    for position, view in enumerate(inspection.dataset.spec.views):
        found = Counter((int(w), int(h)) for w, h in inspection.survey.region_px[:, position])
        result += [
            SizeCount(view, w, h, n) for (w, h), n in sorted(found.items(), key=lambda e: (-e[1], e[0]))
        ]
    return result
