"""The heat map of parity: which image belongs to which level, and what stands in each cell."""

from __future__ import annotations

import numpy as np
import pytest

from analyte.contract.label import LabelSpec
from analyte.export.deviation_picture import deviation_by_level, draw_deviations, levels_of
from analyte.export.parity import CaseDeviations

LABEL = LabelSpec(analyte="dye", unit="mg/L", range=(0.0, 10.0))


def test_few_values_are_levels() -> None:
    names, members = levels_of(np.array([5.0, 0.0, 5.0, 2.5]), LABEL)
    assert names == ["0", "2.5", "5"]
    assert [index.tolist() for index in members] == [[1], [3], [0, 2]]


def test_many_values_are_binned_and_each_image_lies_in_one() -> None:
    true = np.concatenate([np.linspace(0, 4, 30), [10.0, 10.5]])
    names, members = levels_of(true, LABEL)
    assert names[0] == "0 to 1.05"
    assert names[-1] == "9.45 to 10.5"
    assert len(names) == 5  # the bins between 4.2 and 9.45 are empty
    assert sorted(np.concatenate(members).tolist()) == list(range(32))
    assert members[-1].tolist() == [30, 31]


def case(*deviation: float) -> CaseDeviations:
    return CaseDeviations("onnx[onnx/cpu]", 0.1, np.array(deviation))


def test_cells_are_the_largest_of_their_level() -> None:
    members = [np.array([0, 2]), np.array([1]), np.array([3])]
    found = deviation_by_level([case(0.1, 0.5, 0.3, np.inf), case(np.nan, 0.2, 0.7, np.nan)], members)
    np.testing.assert_array_equal(found, [[0.3, 0.5, np.inf], [0.7, 0.2, np.nan]])


@pytest.mark.parametrize("bad", [np.inf, np.nan, 0.0])
def test_drawn_whatever_is_in_it(bad: float) -> None:
    figure = draw_deviations([case(0.01, bad), case(0.2, 0.3)], np.array([1.0, 2.0]), LABEL)
    axes = figure.axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["0.01", "" if np.isnan(bad) else f"{bad:.2g}", "0.2", "0.3"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2"]
    figure.canvas.draw()
