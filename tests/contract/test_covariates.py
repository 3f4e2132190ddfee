"""Numbers and categories beside the picture: from what people write to what the graph takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from analyte.contract.covariates import (
    CategoricalCovariate,
    Covariate,
    CovariateSpec,
    NumericCovariate,
    fit_covariates,
)
from analyte.contract.errors import InputError

SPEC = CovariateSpec(
    numeric=(
        NumericCovariate(name="temperature", range=(10.0, 30.0)),
        NumericCovariate(name="minutes", range=(5.0, 5.0)),
    ),
    categorical=(CategoricalCovariate(name="lot", categories=("A", "B", "7")),),
)
GOOD: dict[str, Covariate] = {"temperature": 21.5, "minutes": 5.0, "lot": "B"}


def test_order_of_the_graph() -> None:
    assert SPEC.names == ("temperature", "minutes", "lot")
    shuffled = dict(reversed(GOOD.items()))
    row = SPEC.encode(shuffled)
    assert row.dtype == np.float32
    assert row.tolist() == [21.5, 5.0, 1.0]
    rows = SPEC.encode_all([GOOD, {**GOOD, "lot": "7"}])
    np.testing.assert_array_equal(rows, np.array([[21.5, 5, 1], [21.5, 5, 2]], np.float32))


def test_none() -> None:
    none = CovariateSpec()
    assert (none.names, none.encode({}).shape, none.encode_all([{}, {}]).shape) == ((), (0,), (2, 0))
    assert none.encode_all([{}, {}]).dtype == np.float32
    assert none.examine({}).problem == none.examine({}).remark == ""


def test_category_that_training_did_not_see() -> None:
    """Its index is beyond the last: for the graph it is none of them, and a device refuses it."""
    strange = {**GOOD, "lot": "C"}
    assert SPEC.encode(strange)[2] == 3.0
    assert "expected lot as in training: A, B, 7; got 'C'" in SPEC.examine(strange).problem


@pytest.mark.parametrize(
    ("temperature", "refused", "remarked"),
    [
        (10.0, False, False), (30.0, False, False), (9.9, False, True), (31.9, False, True),
        (7.9, True, False), (32.1, True, False), (math.nan, True, False), (math.inf, True, False),
    ],
)  # fmt: skip
def test_range(temperature: float, refused: bool, remarked: bool) -> None:
    """A tenth of the training's range of 20 beyond it is tolerated with a remark."""
    found = SPEC.examine({**GOOD, "temperature": temperature})
    assert (bool(found.problem), bool(found.remark)) == (refused, remarked)
    if refused or remarked:
        assert "expected temperature within 10 to 30, as in training; got" in found.problem + found.remark


def test_number_that_never_varied() -> None:
    assert SPEC.examine(GOOD).problem == ""
    assert "minutes within 5 to 5" in SPEC.examine({**GOOD, "minutes": 5.01}).problem


@pytest.mark.parametrize("name", SPEC.names)
def test_missing(name: str) -> None:
    rest = {key: value for key, value in GOOD.items() if key != name}
    assert SPEC.examine(rest).problem == f"{name} is missing"
    with pytest.raises(KeyError):
        SPEC.encode(rest)


def test_everything_that_is_wrong_is_said() -> None:
    problem = SPEC.examine({"temperature": 99.0, "lot": "C"}).problem
    assert all(part in problem for part in ("temperature", "minutes is missing", "lot"))


def test_parse() -> None:
    assert SPEC.parse({"lot": " B ", "temperature": "21.5", "minutes": 5}) == GOOD
    # A lot that is a number in TOML is the name that it is in the table.
    assert SPEC.parse({"lot": 7}) == {"lot": "7"}
    assert SPEC.examine({**GOOD, **SPEC.parse({"lot": 7})}).problem == ""


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"humidity": 1}, "there is no covariate 'humidity'; expected temperature, minutes, lot"),
        ({"temperature": "warm"}, "covariate 'temperature': 'warm' is not a number"),
        ({"temperature": "1_5"}, "'1_5' is not a number"),
        ({"temperature": "21,5"}, "'21,5' is not a number"),
        ({"temperature": "nan"}, "'nan' is not finite"),
    ],
)
def test_parse_refuses(given_: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as caught:
        SPEC.parse(given_, where="p.toml")
    assert says in caught.value.line()
    assert caught.value.line().startswith("p.toml: ")


def test_fit() -> None:
    samples = [
        {"temperature": t, "minutes": 5.0, "lot": lot} for t, lot in ((20.0, "B"), (10.0, "7"), (30.0, "A"))
    ]
    found = fit_covariates(("temperature", "minutes"), ("lot",), samples)
    assert found.numeric == SPEC.numeric
    assert found.categorical[0].categories == ("7", "A", "B")
    assert fit_covariates((), (), samples) == CovariateSpec()


@given(
    st.lists(
        st.fixed_dictionaries({"t": st.floats(-1e6, 1e6), "c": st.sampled_from("abc")}),
        min_size=1,
        max_size=9,
    )
)
def test_training_samples_are_always_good(samples: list[dict[str, Covariate]]) -> None:
    spec = fit_covariates(("t",), ("c",), samples)
    assert CovariateSpec.model_validate_json(spec.model_dump_json()) == spec
    for sample in samples:
        assert spec.examine(sample).problem == spec.examine(sample).remark == ""
        assert spec.encode(sample)[1] < len(spec.categorical[0].categories)


@pytest.mark.parametrize(
    "bad",
    [
        {"numeric": [{"name": "a", "range": [2, 1]}]},
        {"numeric": [{"name": "a", "range": [0, math.inf]}]},
        {"numeric": [{"name": "", "range": [0, 1]}]},
        {"categorical": [{"name": "a", "categories": []}]},
        {"categorical": [{"name": "a", "categories": ["x", "x"]}]},
        {"numeric": [{"name": "a", "range": [0, 1]}], "categorical": [{"name": "a", "categories": ["x"]}]},
    ],
)
def test_damaged(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CovariateSpec.model_validate(bad)
