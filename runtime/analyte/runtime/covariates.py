"""Covariates of readings: from a profile, the command line or a table, against what a bundle needs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from analyte.contract.covariates import Covariate, CovariateSpec
from analyte.contract.errors import InputError, ProfileError, SettingsError
from analyte.contract.profile import DeviceProfile

_FORMAT = "NAME=VALUE"


def profile_covariates(profile: DeviceProfile, spec: CovariateSpec, *, where: object) -> dict[str, Covariate]:
    """Return the covariates of a profile, which need not be all.

    Raises: ProfileError for a name that the bundle does not know, and for what is no number where one is due.
    """
    try:
        return spec.parse(profile.measure.covariates)
    except InputError as error:
        raise ProfileError(
            f"measure.covariates: {error.what}", where=where, expected=error.expected, got=error.got
        ) from error


def complete_covariates(
    profile: DeviceProfile, spec: CovariateSpec, *, where: object
) -> dict[str, Covariate]:
    """Return the covariates of a profile that has to have all, since they hold for every reading.

    Raises: ProfileError, also where every reading would be refused for them.
    """
    values = profile_covariates(profile, spec, where=where)
    problem = spec.examine(values).problem
    if problem:
        raise ProfileError(
            f"measure.covariates: {problem}",
            where=where,
            fix="Write what holds for every reading under [measure.covariates]",
        )
    return values


def parse_options(texts: Sequence[str], spec: CovariateSpec) -> dict[str, Covariate]:
    """Parse ``NAME=VALUE`` of the command line. Raises: SettingsError."""
    given: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise SettingsError(f"not a covariate: {text!r}", expected=_FORMAT)
        if name.strip() in given:
            raise SettingsError(f"two values for covariate {name.strip()!r}", got=text)
        given[name.strip()] = value
    try:
        return spec.parse(given)
    except InputError as error:
        raise SettingsError(
            error.what, where="--covariate", expected=error.expected, got=error.got, fix=error.fix
        ) from error


def of_samples(
    samples: Sequence[Sequence[Path]],
    table: Path | None,
    constant: Mapping[str, Covariate],
    spec: CovariateSpec,
    *,
    where: object,
) -> list[dict[str, Covariate]]:
    """Return the covariates of each sample: what holds for all, and before it the row of its pictures.

    ``samples``: the pictures of each. ``table``: see `read_table`; ``where``: names the bundle in errors.
    Raises: InputError where a picture has no row, or the pictures of a sample have different ones;
    SettingsError where a covariate is given nowhere.
    """
    if table is None:
        _require_all(constant, spec, where=where)
        return [dict(constant) for _ in samples]
    rows = read_table(table, spec, constant)
    found: list[dict[str, Covariate]] = []
    for pictures in samples:
        own = [rows.get(picture.resolve()) for picture in pictures]
        if own[0] is None or None in own:
            raise InputError(f"no row for {pictures[own.index(None)]}", where=table)
        if any(row != own[0] for row in own):
            raise InputError(
                "the pictures of one sample have other covariates",
                where=table,
                got=", ".join(map(str, pictures)),
            )
        found.append({**constant, **own[0]})
    return found


def read_table(
    file: Path, spec: CovariateSpec, constant: Mapping[str, Covariate]
) -> dict[Path, dict[str, Covariate]]:
    """Read covariates by picture from a CSV with a column ``path``, such as ``labels.csv``.

    Paths are relative to the table's folder. Other columns and empty cells are left aside; a covariate needs
    a column unless it is among ``constant``. Raises: InputError naming the row.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=file) from error
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", where=file, got=error, fix="Save it as CSV UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: dict[Path, dict[str, Covariate]] = {}
    try:
        header = [name.strip() for name in next(reader, [])]
        needed = ("path", *(name for name in spec.names if name not in constant))
        absent = [name for name in needed if name not in header]
        if absent:
            raise InputError(f"no column {absent[0]!r}", where=file, expected=", ".join(needed))
        for cells in reader:
            by_name = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            if not by_name.get("path"):
                continue
            place = f"{file}, row {reader.line_num}"
            values = spec.parse(
                {name: by_name[name] for name in spec.names if by_name.get(name)}, where=place
            )
            if found.setdefault((file.parent / by_name["path"]).resolve(), values) != values:
                raise InputError(f"another row has other covariates for {by_name['path']}", where=place)
    except csv.Error as error:
        raise InputError("no CSV", where=f"{file}, row {reader.line_num}", got=error) from error
    return found


def _require_all(values: Mapping[str, Covariate], spec: CovariateSpec, *, where: object) -> None:
    missing = [name for name in spec.names if name not in values]
    if missing:
        raise SettingsError(
            f"the bundle needs covariate {missing[0]!r}",
            where=where,
            expected=", ".join(spec.names),
            got=", ".join(values) or "none",
            fix=f"Pass --covariate {missing[0]}=VALUE, or --covariates FILE.csv",
        )
