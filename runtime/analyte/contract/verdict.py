"""Was the network worth it? Its comparison with the calibration curve, in the same words everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyte.contract.arrays import Float32Array, Float64Array
from analyte.contract.metrics import MaeComparison, compare_mae, regression_metrics
from analyte.contract.numbers import fixed, percent

CURVE_NAME = "calibration curve"

_OUTCOMES: dict[str, str] = {
    "better": "beats",
    "worse": "does NOT beat",
    "undecided": "cannot be told apart from",
}
"""What is said of the network, by the verdict of the comparison."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the network beats the calibration curve on some samples."""

    sentence: str
    """For people."""
    comparison: MaeComparison
    """The network is the first of the two."""
    network_mae: float
    """Label's unit."""
    curve_mae: float
    """Label's unit."""


def compare_with_curve(
    true: Float64Array,
    network: Float64Array | Float32Array,
    curve: Float64Array | Float32Array,
    groups: Sequence[str],
    unit: str,
) -> Verdict:
    """Compare network and calibration curve on the same samples by `analyte.contract.metrics.compare_mae`.

    ``true``, ``network``, ``curve``: ``[N]`` in ``unit``, the label's. ``groups``: ``[N]``, what is
    independent of each other. Raises: ValueError for lengths that differ, or no samples.
    """
    comparison = compare_mae(true, network, curve, groups)
    network_mae, curve_mae = (regression_metrics(true, values).mae for values in (network, curve))
    sentence = comparison_sentence(comparison, network_mae, curve_mae, unit)
    return Verdict(sentence, comparison, network_mae, curve_mae)


def comparison_sentence(
    comparison: MaeComparison, network_mae: float, curve_mae: float, unit: str, what: str = "group"
) -> str:
    """Put a comparison into words.

    ``network_mae``, ``curve_mae``: in ``unit``, the label's. ``what``: name of an independent group.
    """
    confidence, like = percent(comparison.confidence), max(network_mae, curve_mae)
    text = (
        f"The network {_OUTCOMES[comparison.verdict]} the {CURVE_NAME}: MAE {fixed(network_mae, like)} "
        f"against {fixed(curve_mae, like)} {unit}, a difference of {fixed(comparison.difference, like)}"
    )
    if comparison.lower is None or comparison.upper is None:
        return (
            f"{text}; better in {comparison.better_in} of {comparison.groups} independent "
            f"{what}{'s' * (comparison.groups != 1)}, and {confidence} confidence takes at least "
            f"{comparison.least_groups}."
        )
    limits = f"{fixed(comparison.lower, like)} to {fixed(comparison.upper, like)}"
    advice = " Prefer the curve." if comparison.verdict == "worse" else ""
    return f"{text} with {confidence} confidence ({limits}).{advice}"
