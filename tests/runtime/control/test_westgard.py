"""The rules of Westgard et al. 1981, each by hand, at its boundary, within one material and across two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.sections.control import RuleName
from analyte.runtime.control.westgard import Broken, Point, broken_rules

RULES: tuple[RuleName, ...] = ("1-2s", "1-3s", "2-2s", "R-4s", "4-1s", "10x")


def points(*z: float, materials: str = "a", apart_h: float = 24.0) -> list[Point]:
    """Controls of ``materials`` in turn, the letters being their names."""
    names = (materials * len(z))[: len(z)]
    return [Point(name, one, at * apart_h) for at, (name, one) in enumerate(zip(names, z, strict=True))]


def broken(given: list[Point], *, run_h: float = 1.0) -> dict[str, str]:
    return {one.rule: one.scope for one in broken_rules(given, RULES, run_h=run_h)}


WITHIN: list[tuple[str, list[float], set[str]]] = [
    ("all is well", [0.3, -0.5, 1.9], set()),
    ("exactly 2 s breaks nothing", [2.0], set()),
    ("beyond 2 s", [2.0001], {"1-2s"}),
    ("exactly 3 s is beyond 2 s only", [-3.0], {"1-2s"}),
    ("beyond 3 s", [-3.01], {"1-2s", "1-3s"}),
    ("two beyond 2 s on one side", [2.1, 2.1], {"1-2s", "2-2s"}),
    ("two at exactly 2 s", [2.0, 2.0], set()),
    ("two beyond 2 s on two sides, in two runs", [2.1, -2.1], {"1-2s"}),
    ("two beyond 2 s with a good one between", [2.1, 0.0, 2.1], {"1-2s"}),
    ("the newest is good", [2.5, 2.5, 0.0], set()),
    ("four beyond 1 s", [-1.1, -1.2, -1.3, -1.4], {"4-1s"}),
    ("four at exactly 1 s", [1.0, 1.0, 1.0, 1.0], set()),
    ("three beyond 1 s", [1.1, 1.2, 1.3], set()),
    ("four beyond 1 s, one on the other side", [1.1, -1.2, 1.3, 1.4], set()),
    ("ten on one side", [0.1] * 10, {"10x"}),
    ("nine on one side", [0.1] * 9, set()),
    ("one of ten at the target", [0.1] * 5 + [0.0] + [0.1] * 4, set()),
    ("one of ten on the other side", [-0.1] + [0.1] * 9, set()),
    ("eleven, the first of them elsewhere", [-0.1] + [0.1] * 10, {"10x"}),
]


@pytest.mark.parametrize(("z", "expected"), [case[1:] for case in WITHIN], ids=[case[0] for case in WITHIN])
def test_within_one_material(z: list[float], expected: set[str]) -> None:
    assert broken(points(*z)) == dict.fromkeys(expected, "within")


ACROSS: list[tuple[str, list[float], dict[str, str]]] = [
    ("2-2s: one of each", [2.1, 2.2], {"1-2s": "within", "2-2s": "across"}),
    ("2-2s: of one material in its own series", [2.1, 0.0, 2.1], {"1-2s": "within", "2-2s": "within"}),
    ("4-1s: two of each", [1.1, 1.2, 1.3, 1.4], {"4-1s": "across"}),
    ("4-1s: four of one material", [1.1, -1, 1.2, -1, 1.3, -1, 1.4], {"4-1s": "within"}),
    ("10x: five of each", [-0.1] * 10, {"10x": "across"}),
    ("10x: ten of one material", [0.1, -0.1] * 9 + [0.1], {"10x": "within"}),
    ("R-4s: in two runs", [2.1, -2.1], {"1-2s": "within"}),
]


@pytest.mark.parametrize(("z", "expected"), [case[1:] for case in ACROSS], ids=[case[0] for case in ACROSS])
def test_across_two_materials(z: list[float], expected: dict[str, str]) -> None:
    assert broken(points(*z, materials="ab")) == expected


@pytest.mark.parametrize("materials", ["a", "ab"])
def test_range_within_a_run(materials: str) -> None:
    scope = {"a": "within", "ab": "across"}[materials]
    run = points(2.1, -2.1, materials=materials, apart_h=0.5)
    assert broken(run) == {"1-2s": "within", "R-4s": scope}
    # More than 4 s apart, but not beyond 2 s on both sides: one of them is no outlier.
    assert "R-4s" not in broken(points(3.0, -1.5, materials=materials, apart_h=0.5))
    assert "R-4s" not in broken(points(2.0, -2.1, materials=materials, apart_h=0.5))
    assert "R-4s" not in broken(points(2.1, -2.0, materials=materials, apart_h=0.5))


def test_a_run_is_as_long_as_the_profile_says() -> None:
    apart = points(2.5, -2.5, materials="ab", apart_h=2.0)
    assert "R-4s" not in broken(apart, run_h=1.99)
    assert "R-4s" in broken(apart, run_h=2.0)


def test_range_finds_a_partner_that_is_not_the_one_before() -> None:
    run = points(2.5, 0.0, -2.5, materials="abc", apart_h=0.1)
    assert broken_rules(run, ["R-4s"], run_h=1.0) == [Broken("R-4s", "across", (2.5, -2.5))]


def test_rules_that_are_not_asked_for_are_not_told() -> None:
    assert broken_rules(points(4.0), ["2-2s"], run_h=1.0) == []


def test_without_controls() -> None:
    with pytest.raises(ValueError, match="at least one"):
        broken_rules([], RULES, run_h=1.0)


series = st.lists(
    st.tuples(st.sampled_from("ab"), st.floats(-5, 5), st.floats(0, 3)), min_size=1, max_size=14
).map(lambda rows: [Point(name, z, 4.0 * at + hours) for at, (name, z, hours) in enumerate(rows)])


@given(series)
def test_mirrored_controls_break_the_same_rules(given_points: list[Point]) -> None:
    mirrored = [Point(one.material, -one.z, one.hours) for one in given_points]
    assert broken(given_points) == broken(mirrored)


@given(series, st.floats(-1000, 1000))
def test_only_the_order_and_the_runs_count_not_the_date(given_points: list[Point], shift: float) -> None:
    # Whole hours: the end of a run must not move by rounding.
    whole = [Point(one.material, one.z, round(one.hours)) for one in given_points]
    later = [Point(one.material, one.z, one.hours + round(shift)) for one in whole]
    assert broken(whole) == broken(later)


@given(series)
def test_names_of_materials_do_not_count(given_points: list[Point]) -> None:
    other = [Point({"a": "b", "b": "a"}[one.material], one.z, one.hours) for one in given_points]
    assert broken(given_points) == broken(other)


@given(series)
def test_worse_never_breaks_less_beyond_its_side(given_points: list[Point]) -> None:
    """Moving the newest control farther out on its side breaks no fewer rules of a single control."""
    newest = given_points[-1]
    worse = [*given_points[:-1], Point(newest.material, 2 * newest.z, newest.hours)]
    assert set(broken(given_points)) <= set(broken(worse))
