"""Figures of merit, against numbers worked out by hand, and data that allow none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analyte.contract.figures_of_merit import Figure, FiguresOfMerit, figures_of_merit


def merit(true: list[float], predicted: list[float], sessions: list[str] | None = None) -> FiguresOfMerit:
    return figures_of_merit(np.array(true), np.array(predicted), sessions or ["a"] * len(true))


class TestLine:
    """True 1 2 3 4 5, predicted 1.1 1.9 3.2 3.9 5.4.

    Means 3 and 15.5 / 5 = 3.1. Deviations of x: -2 -1 0 1 2, of y: -2.0 -1.2 0.1 0.8 2.3.
    Sxx = 10; Sxy = 4.0 + 1.2 + 0 + 0.8 + 4.6 = 10.6; Syy = 4.00 + 1.44 + 0.01 + 0.64 + 5.29 = 11.38.
    b = 1.06; a = 3.1 - 1.06 * 3 = -0.08; R2 = 112.36 / 113.8 = 0.987346.
    SS_res = 11.38 - 1.06 * 10.6 = 0.144; s = sqrt(0.144 / 3) = sqrt(0.048) = 0.219089.
    """

    found = merit([1, 2, 3, 4, 5], [1.1, 1.9, 3.2, 3.9, 5.4])

    def test_line(self) -> None:
        assert self.found.slope.value == pytest.approx(1.06)
        assert self.found.intercept.value == pytest.approx(-0.08)
        assert self.found.r2.value == pytest.approx(0.98735, abs=5e-6)
        assert self.found.residual_sd.value == pytest.approx(0.219089, abs=5e-7)

    def test_limits(self) -> None:
        # 3.3 * 0.219089 / 1.06 = 0.682070 and 10 * 0.219089 / 1.06 = 2.066877.
        assert self.found.lod.value == pytest.approx(0.682070, abs=5e-6)
        assert self.found.loq.value == pytest.approx(2.066877, abs=5e-6)

    def test_bias_at_the_limit(self) -> None:
        # -0.08 + 0.06 * 0.682070 = -0.039076: less than the scatter, so nothing is to be said.
        assert self.found.lod_bias.value == pytest.approx(-0.039076, abs=5e-6)
        assert not any("Biased" in note for note in self.found.notes)

    def test_a_biased_procedure_is_not_better_for_its_scatter(self) -> None:
        """The same scatter, every value 2 too high: LOD as before, and said to hold for no reported value."""
        found = merit([1, 2, 3, 4, 5], [3.1, 3.9, 5.2, 5.9, 7.4])
        assert found.lod.value == pytest.approx(0.682070, abs=5e-6)
        assert found.lod_bias.value == pytest.approx(1.960924, abs=5e-6)
        (note,) = [note for note in found.notes if note.startswith("Biased")]
        assert "by +1.961, more than the scatter, 0.2191" in note
        assert "do not hold for values as they are reported" in note

    def test_no_limit_no_bias_at_it(self) -> None:
        assert merit([1, 2, 3], [3, 2, 1]).lod_bias == Figure(None, "there is no limit to state it at")

    def test_agreement(self) -> None:
        # Differences 0.1 -0.1 0.2 -0.1 0.4: mean 0.1, squares about it 0 + 0.04 + 0.01 + 0.04 + 0.09 = 0.18,
        # s_d = sqrt(0.18 / 4) = 0.212132; 1.96 s_d = 0.415779.
        assert self.found.bias.value == pytest.approx(0.1)
        assert self.found.agreement_lower.value == pytest.approx(-0.315779, abs=5e-6)
        assert self.found.agreement_upper.value == pytest.approx(0.515779, abs=5e-6)

    def test_enough_levels(self) -> None:
        assert (self.found.n, self.found.levels, self.found.enough_levels) == (5, 5, True)

    def test_a_limit_below_every_sample_is_to_be_confirmed(self) -> None:
        assert "detection limit" in self.found.notes[0]
        assert "quantitation" not in self.found.notes[0]


class TestPrecision:
    """Analysis of variance by hand."""

    def test_balanced(self) -> None:
        """One level, sessions a: 9, 11 and b: 13, 15. Means 10, 14, together 12.

        SSW = 1 + 1 + 1 + 1 = 4 with 2 degrees of freedom: s_r^2 = 2.
        SSB = 2 * 4 + 2 * 4 = 16 with 1; weight 4 - (4 + 4) / 4 = 2: s_L^2 = (16 - 2 * 1) / 2 = 7.
        Intermediate precision sqrt(2 + 7) = 3.
        """
        found = merit([12, 12, 12, 12], [9, 11, 13, 15], ["a", "a", "b", "b"])
        assert found.repeatability.value == pytest.approx(math.sqrt(2))
        assert found.between_sessions.value == pytest.approx(math.sqrt(7))
        assert found.intermediate_precision.value == pytest.approx(3)

    def test_unbalanced_and_pooled_over_levels(self) -> None:
        """Level 0, session a: 0, 2, 4 and b: 8. Level 10, a: 9, 11.

        SSW = 8 (mean 2) + 0 + 2 (mean 10) = 10 with (4 - 2) + (2 - 1) = 3: s_r^2 = 10 / 3.
        Level 0: mean 3.5; SSB = 3 * 1.5^2 + 1 * 4.5^2 = 6.75 + 20.25 = 27 with 1;
        weight 4 - (9 + 1) / 4 = 1.5.
        Level 10 has one session: nothing, weight 2 - 4 / 2 = 0. s_L^2 = (27 - 10 / 3) / 1.5 = 15.7778.
        Intermediate precision sqrt(3.3333 + 15.7778) = 4.37163. A bias of a whole level adds nothing.
        """
        for bias in (0.0, 100.0):
            found = merit(
                [0, 0, 0, 0, 10, 10], [0, 2, 4, 8, 9 + bias, 11 + bias], ["a", "a", "a", "b", "a", "a"]
            )
            assert found.repeatability.value == pytest.approx(math.sqrt(10 / 3))
            assert found.between_sessions.value == pytest.approx(3.97213, abs=5e-6)
            assert found.intermediate_precision.value == pytest.approx(4.37163, abs=5e-6)

    def test_sessions_that_differ_less_than_readings_add_nothing(self) -> None:
        # Means equal: SSB = 0, so that s_L^2 = (0 - 2) / 2 < 0 counts as 0.
        found = merit([5, 5, 5, 5], [4, 6, 4, 6], ["a", "a", "b", "b"])
        assert found.between_sessions.value == 0
        assert found.intermediate_precision.value == found.repeatability.value == pytest.approx(math.sqrt(2))

    def test_no_repeats(self) -> None:
        found = merit([1, 2, 3, 1], [1, 2, 3, 2], ["a", "a", "a", "b"])
        for figure in (found.repeatability, found.between_sessions, found.intermediate_precision):
            assert figure == Figure(None, "no level was measured twice within one session")

    def test_one_session(self) -> None:
        found = merit([1, 1, 2], [1, 2, 3])
        assert found.repeatability.value == pytest.approx(math.sqrt(0.5))
        assert found.intermediate_precision == Figure(None, "no level was measured in two sessions")


class TestNoFigure:
    """Rather none, with the reason, than a nonsense number."""

    def refused(self, found: FiguresOfMerit, *names: str) -> str:
        reasons = {getattr(found, name) for name in names}
        assert {figure.value for figure in reasons} == {None}, found
        return " ".join(str(figure.reason) for figure in reasons)

    def test_two_levels(self) -> None:
        found = merit([1, 1, 2, 2], [1, 1.2, 2, 2.1])
        reason = self.refused(found, "slope", "intercept", "r2", "residual_sd", "lod", "loq")
        assert reason == "2 different true values; a line needs at least 3"
        assert not found.enough_levels
        assert "Levels measured: 2" in found.notes[0]
        assert "at least 5" in found.notes[0]

    @pytest.mark.parametrize("value", [0.0, 3.0, 1e9 + 0.1])
    def test_constant_predictions(self, value: float) -> None:
        found = merit([1, 2, 3], [value] * 3)
        assert self.refused(found, "slope", "r2", "lod", "loq") == "all predictions are equal"

    @pytest.mark.parametrize("predicted", [[3, 2, 1.1], [1, 3, 1]])
    def test_predictions_that_do_not_rise(self, predicted: list[float]) -> None:
        found = merit([1, 2, 3], predicted)
        assert found.slope.value is not None
        assert "do not rise" in self.refused(found, "lod", "loq")

    def test_no_scatter(self) -> None:
        found = merit([1, 2, 3, 4, 5], [1.1, 2.2, 3.3, 4.4, 5.5])
        assert found.slope.value == pytest.approx(1.1)
        assert "do not scatter" in self.refused(found, "lod", "loq")

    def test_a_scale_below_zero(self) -> None:
        """An angle, say: nothing that could be absent."""
        assert "below zero" in self.refused(merit([-1, 0, 1], [-1, 0.1, 1]), "lod", "loq")

    def test_limits_above_every_level(self) -> None:
        # b = 0.5, residuals 0.5 -1 0.5, s = sqrt(1.5 / 1) = 1.2247, so that 3.3 s / b = 8.083.
        found = merit([1, 2, 3], [2, 1, 3])
        assert found.residual_sd.value == pytest.approx(math.sqrt(1.5))
        reason = self.refused(found, "lod", "loq")
        assert "8.083 would lie above the highest level, 3" in reason

    @pytest.mark.parametrize("n", [1, 2])
    def test_too_few_readings(self, n: int) -> None:
        found = merit([1] * n, [2] * n)
        assert found.bias.value == 1
        assert f"{n} readings" in self.refused(found, "agreement_lower", "agreement_upper")


@pytest.mark.parametrize(
    ("true", "predicted", "sessions"),
    [([], [], []), ([1], [1, 2], ["a"]), ([1], [1], ["a", "b"]), ([1], [math.nan], ["a"])],
)
def test_unusable_arrays(true: list[float], predicted: list[float], sessions: list[str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        figures_of_merit(np.array(true), np.array(predicted), sessions)
