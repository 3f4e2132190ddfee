"""The space that a sweep searches: a TOML file of options of ``analyte train``, checked against them.

The options are read off the command itself, so that a space can hold whatever the command takes.
"""

from __future__ import annotations

import difflib
import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import click
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from analyte.contract.errors import InputError
from analyte.contract.label import Finite
from analyte.contract.validation import not_toml
from analyte.train.option_checks import name_problems

DEFAULT_SPACE = Path(__file__).with_name("default_space.toml")

OF_THE_SWEEP = ("folds", "split-by", "seed", "unit", "analyte")
"""Options of ``analyte train`` that the sweep takes itself, the same for all trials."""
_NOT_SEARCHED = ("out", "overwrite", "json", "workers")
_DRAWS = 8
"""Draws per trial that is asked for."""
_DIGITS = 4
"""Significant digits of a number drawn from a range: enough to search by, short enough to type again."""
_NUMBERS = (click.types.IntParamType, click.types.FloatParamType)

Value = bool | int | float | str
"""What one option is set to."""


def _scalar(value: Any) -> Any:
    if not isinstance(value, (bool, int, float, str)):
        raise ValueError("must be a number, a text, true or false")
    return value


Scalar = Annotated[Any, AfterValidator(_scalar)]


class SearchRange(BaseModel):
    """All numbers from ``low`` to ``high``, both included, in the option's own unit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    low: Finite
    high: Finite
    log: bool = False
    """Whether drawn evenly on a logarithmic scale, as suits a learning rate."""

    @model_validator(mode="after")
    def _ordered(self) -> SearchRange:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, and {self.low:g} is not below {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError("a logarithmic range must begin above 0")
        return self


def _kind(entry: Any) -> str:
    if isinstance(entry, (dict, SearchRange)):
        return "range"
    return "list" if isinstance(entry, list) else "value"


Entry = Annotated[
    Annotated[SearchRange, Tag("range")]
    | Annotated[list[Scalar], Field(min_length=1), Tag("list")]
    | Annotated[Scalar, Tag("value")],
    Discriminator(_kind),
]


_ENTRY: TypeAdapter[Any] = TypeAdapter(Entry)
_RANGE_FORM = "{ low = NUMBER, high = NUMBER, log = true or false }"


class SearchSpace(RootModel[dict[str, Entry]]):
    """From the name of an option, without its dashes, to a value, a list of values or a range."""

    model_config = ConfigDict(frozen=True)

    @property
    def searched(self) -> tuple[str, ...]:
        """Names of the options that differ between trials, in the order of the file."""
        return tuple(
            name
            for name, entry in self.root.items()
            if isinstance(entry, SearchRange) or (isinstance(entry, list) and len(entry) > 1)
        )


def load_space(file: Path, options: Mapping[str, click.Option]) -> SearchSpace:
    """Read a space and check every value against the option that it is for.

    Raises: InputError that names all of what is wrong, each with its key, what was expected and what was got.
    """
    try:
        given = tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=file) from error
    except (ValueError, RecursionError) as error:
        raise not_toml(error, InputError, file) from error
    problems: list[str] = []
    entries: dict[str, Entry] = {}
    for name, entry in given.items():
        found = _entry_problems(name, entry, options)
        problems += [f"{name}: {problem}" for problem in found]
        if not found:
            entries[name] = _ENTRY.validate_python(entry)
    if problems:
        what = problems[0] if len(problems) == 1 else f"{len(problems)} entries cannot be used"
        listed = [f"({n}) {problem}" for n, problem in enumerate(problems, start=1)]
        raise InputError(what if len(problems) == 1 else f"{what}: {'; '.join(listed)}", where=file)
    return SearchSpace(entries)


def _entry_problems(name: str, entry: Any, options: Mapping[str, click.Option]) -> list[str]:
    """Return what is wrong with one entry of the file, in words for who wrote it."""
    if name in OF_THE_SWEEP:
        return [f"is the same for all trials of a sweep. Pass --{name} to analyte sweep"]
    option = options.get(name)
    if option is None:
        close = difflib.get_close_matches(name.replace("_", "-").lower(), list(options), 1)
        fix = f". Did you mean {close[0]}?" if close else ""
        return [f"unknown key; expected an option of analyte train: {', '.join(options)}; got {name}{fix}"]
    try:
        read = _ENTRY.validate_python(entry)
    except ValidationError as error:
        return [_in_words(problem) for problem in error.errors(include_url=False)]
    if isinstance(read, SearchRange) and not isinstance(option.type, _NUMBERS):
        return ["takes no numbers; expected a value or a list of values; got a range"]
    return [problem for value in _mentioned(read) for problem in _value_problems(name, value, option)]


def _in_words(problem: Any) -> str:
    """Return a finding of pydantic without its words for types and places."""
    kind, *place = problem["loc"]
    key = ".".join(str(step) for step in place)
    if problem["type"] == "missing":
        return f"{key} is missing; expected {_RANGE_FORM}"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key}; expected {_RANGE_FORM}"
    if problem["type"] == "too_short":
        return "the list is empty; expected one value or more"
    if kind == "range" and key in ("low", "high") and problem["type"] in ("float_type", "value_error"):
        return f"{key} must be a finite number; got {problem['input']!r}"
    if key == "log":
        return f"log must be true or false; got {problem['input']!r}"
    message = problem["msg"].removeprefix("Value error, ")
    at = f"entry {int(key) + 1} " if kind == "list" and key.isdecimal() else ""
    got = "" if isinstance(problem["input"], dict) else f"; got {problem['input']!r}"
    return f"{at}{message}{got}"


def train_options() -> dict[str, click.Option]:
    """Return the options of ``analyte train`` that a space may hold, by name without dashes."""
    # Here, because the command's module is not needed to read a plan.
    from analyte.train.commands.train import command

    found: dict[str, click.Option] = {}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            name = max(parameter.opts, key=len).removeprefix("--")
            if name not in (*OF_THE_SWEEP, *_NOT_SEARCHED):
                found[name] = parameter
    return found


def draw_trials(
    space: SearchSpace, options: Mapping[str, click.Option], count: int, seed: int
) -> list[dict[str, Value]]:
    """Return the settings of each trial, at random, no two alike; fewer where the space has fewer.

    The same space, count and seed give the same trials, in the same order.
    """
    # Here, because scikit-learn takes half a second to import, and a bad space needs none of it.
    from sklearn.model_selection import ParameterSampler

    if not space.root:
        return [{}]
    distributions = {name: _distribution(entry, options[name]) for name, entry in space.root.items()}
    with warnings.catch_warnings():
        # The number of trials tells it as well.
        warnings.filterwarnings("ignore", message="The total space of parameters", category=UserWarning)
        # Ranges are drawn from with replacement: more draws make up for those that come again.
        drawn = list(ParameterSampler(distributions, _DRAWS * count, random_state=seed))
    trials: list[dict[str, Value]] = []
    for settings in drawn:
        trial = {name: _tidy(settings[name], entry, options[name]) for name, entry in space.root.items()}
        if trial not in trials:
            trials.append(trial)
        if len(trials) == count:
            break
    return trials


def arguments(settings: Mapping[str, Value], options: Mapping[str, click.Option]) -> list[str]:
    """Return settings as arguments of ``analyte train``. Paths become absolute: trials run elsewhere."""
    found: list[str] = []
    for name, value in settings.items():
        option = options[name]
        if option.is_flag:
            # A flag without a counterpart is switched off by leaving it out.
            found += option.opts[:1] if value else option.secondary_opts[:1]
            continue
        path = isinstance(option.type, click.Path)
        found += [f"--{name}", str(Path(str(value)).absolute()) if path else str(value)]
    return found


def _value_problems(name: str, value: Value, option: click.Option) -> list[str]:
    if option.is_flag != isinstance(value, bool):
        expected = "true or false" if option.is_flag else "no true or false"
        return [f"does not fit the option; expected {expected}; got {value!r}"]
    if option.is_flag:
        return []
    try:
        option.type.convert(str(value), option, None)
    except click.BadParameter as error:
        return [f"{error.message.rstrip('.')}; got {value!r}"]
    return [
        f"{error.what}; expected {error.expected}; got {error.got}" + (f". {error.fix}" if error.fix else "")
        for error in name_problems(name, str(value))
    ]


def _mentioned(entry: Any) -> list[Value]:
    if isinstance(entry, SearchRange):
        return [_whole(entry.low), _whole(entry.high)]
    return list(entry) if isinstance(entry, list) else [entry]


def _whole(number: float) -> int | float:
    """Return a whole number as an int: an option that takes whole numbers refuses ``16.0``."""
    return int(number) if number.is_integer() else number


def _distribution(entry: Any, option: click.Option) -> Any:
    """Return what scikit-learn draws from: a list, or a distribution of scipy."""
    from scipy import stats

    if not isinstance(entry, SearchRange):
        return entry if isinstance(entry, list) else [entry]
    if entry.log:
        return stats.loguniform(entry.low, entry.high)
    if isinstance(option.type, click.types.IntParamType):
        return stats.randint(int(entry.low), int(entry.high) + 1)
    return stats.uniform(entry.low, entry.high - entry.low)


def _tidy(value: Any, entry: Any, option: click.Option) -> Value:
    """Return a drawn value as plain Python, rounded where it comes from a range."""
    if not isinstance(entry, SearchRange):
        plain: Value = value
        return plain
    if isinstance(option.type, click.types.IntParamType):
        return round(float(value))
    return min(entry.high, max(entry.low, float(f"{float(value):.{_DIGITS}g}")))
