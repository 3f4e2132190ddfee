"""``analyte read``: measure photographs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.runtime.commands.profile_path import PROFILE

if TYPE_CHECKING:
    from analyte.contract.bundle import Bundle
    from analyte.contract.manifest import Artifact
    from analyte.contract.preprocessing import Box
    from analyte.contract.profile import DeviceProfile
    from analyte.contract.reading import Reading
    from analyte.runtime.control.quality_control import QualityControl
    from analyte.runtime.engines.protocol import Engine


@click.command()
@click.argument("bundle", type=click.Path(readable=False, path_type=Path))
@click.argument(
    "images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path)
)
@click.option("--device", type=PROFILE, help="Measure as this profile says.")
@click.option("--artifact", "name", help="Artifact to run; else the first whose engine is installed.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads of the engine; 1 without a profile.")
@click.option("--region", "regions", multiple=True, help="x,y,w,h or VIEW=x,y,w,h in pixels; repeatable.")
@click.option("--covariate", "covariates", multiple=True, help="NAME=VALUE for every picture; repeatable.")
@click.option(
    "--covariates",
    "table",
    type=click.Path(readable=False, path_type=Path),
    help="CSV with a column path and covariates, such as labels.csv; goes before --covariate.",
)
@click.option(
    "--store",
    type=click.Path(readable=False, path_type=Path),
    help="SQLite file with --device; else the profile's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of readings.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def command(
    bundle: Path,
    images: tuple[Path, ...],
    device: Path | None,
    name: str | None,
    threads: int | None,
    regions: tuple[str, ...],
    covariates: tuple[str, ...],
    table: Path | None,
    store: Path | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Measure IMAGEs (files, or folders of them) with BUNDLE.

    With several views, each picture is a sample where every view has a region, else as many consecutive
    pictures as there are views, in the bundle's order of views. A picture that cannot be measured gives a
    refused reading, the rest are measured, and the exit code is 3. A value that is refused is exit code 0.
    With --device, what quality control says of the device holds here too (analyte qc).
    """
    from analyte.contract.errors import ImageError
    from analyte.contract.profile import load_profile
    from analyte.contract.reading import Reason
    from analyte.contract.sections.region import RegionSection
    from analyte.runtime.covariates import of_samples, parse_options, profile_covariates
    from analyte.runtime.measuring import MeasureSettings, settings_from_profile
    from analyte.runtime.pipeline import Pipeline
    from analyte.runtime.reader import expand, group, read_samples, refuse_folders
    from analyte.runtime.regions.boxes import parse_regions, refuse_unknown_views
    from analyte.runtime.regions.registry import finder_of
    from analyte.runtime.selftest import quick_check
    from analyte.runtime.trust import open_for_use

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if store is not None and device is None:
        raise click.UsageError("--store goes with --device")
    profile = load_profile(device) if device is not None else None
    if profile is not None:
        _say_what_is_not_used(profile)
    opened = open_for_use(bundle, profile, where=device)
    views = opened.manifest.views
    boxes = parse_regions(regions, views)
    _refuse_other_pixels(profile, boxes)
    section = profile.region if profile is not None and not boxes else RegionSection(boxes=boxes)
    refuse_unknown_views(section.boxes, views, where=device)
    one_picture = len(views) == 1 or all(view in section.boxes for view in views)
    if not one_picture:
        refuse_folders(images)
    _refuse_other_things(images)
    samples = group(expand(images), 1 if one_picture else len(views))
    spec = opened.manifest.covariates
    constant = profile_covariates(profile, spec, where=device) if profile else {}
    constant |= parse_options(covariates, spec)
    beside = of_samples(samples, table, constant, spec, where=bundle)
    if profile is None:
        _say_what_colours_are_wanted(opened)
    artifact, engine = _open(opened, profile, name, threads)
    try:
        quick_check(opened, artifact, engine)
        finder = finder_of(section, views, where=device, one_frame=one_picture)
        settings = (
            MeasureSettings(_host(), finder, covariates=constant)
            if profile is None or device is None
            else settings_from_profile(profile, opened.manifest, finder, constant, live=False, where=device)
        )
        with _controlled(profile, device, store, opened.id) as control:
            if control is not None:
                settings = replace(settings, recalibration=control.recalibration)
            pipeline = Pipeline(opened, artifact, engine, settings)
            camera = None if profile is None else profile.camera
            results = list(read_samples(pipeline, samples, beside, camera))
            if control is not None:
                admitted = control.admitted([reading for reading, _ in results])
                results = [(reading, bad) for reading, (_, bad) in zip(admitted, results, strict=True)]
    finally:
        engine.close()
    _print([reading for reading, _ in results], as_json=as_json, as_csv=as_csv)
    refused = [reading for reading, _ in results if reading.refused]
    unreadable = sum(reading.reason is Reason.BAD_FRAME for reading in refused)
    if unreadable:
        raise ImageError(
            f"{unreadable} of {len(results)} samples could not be measured", fix="See the refused readings"
        )
    if refused:
        _report(f"{len(refused)} of {len(results)} readings are refused; the details say why")


@contextlib.contextmanager
def _controlled(
    profile: DeviceProfile | None, where: Path | None, store: Path | None, bundle: str
) -> Iterator[QualityControl | None]:
    """Give the quality control of the profile's device; None without a profile or anything to ask."""
    if profile is None or where is None:
        yield None
        return
    if store is None and not profile.control.materials and not profile.storage.path.exists():
        yield None
        return
    from analyte.runtime.commands.qc_options import opened_control

    with opened_control(profile, where, store, bundle, create=False) as control:
        if remark := control.invalid_recalibration():
            _report(remark)
        yield control


def _open(
    bundle: Bundle, profile: DeviceProfile | None, name: str | None, threads: int | None
) -> tuple[Artifact, Engine]:
    from analyte.contract.errors import SettingsError
    from analyte.runtime.engines.registry import open_engine, open_from_profile
    from analyte.runtime.selection import first_installed_artifact, preferred_artifact

    if profile is None:
        artifact = bundle.artifact(name) if name else first_installed_artifact(bundle)
        engine = open_engine(
            bundle.read(artifact), artifact.engine, threads=threads or 1, where=bundle.path / artifact.file
        )
    else:
        section = profile.engine
        if threads is not None:
            section = section.model_copy(update={"threads": threads})
        artifact = bundle.artifact(name) if name else preferred_artifact(bundle, section, where="the profile")
        if artifact.engine != section.name:
            raise SettingsError(
                f"--artifact: {artifact.name!r} is for engine {artifact.engine!r}",
                expected=f"an artifact for the profile's engine, {section.name!r}",
            )
        engine = open_from_profile(bundle.read(artifact), section, _report, where=bundle.path / artifact.file)
    if name is None:
        info = engine.info
        _report(f"artifact {artifact.name} on {info.library} {info.version}, provider {info.provider}")
    return artifact, engine


def _say_what_is_not_used(profile: DeviceProfile) -> None:
    """Say which demands of a profile hold for a camera and its frames, and not for photographs."""
    from analyte.contract.sections.camera import ControlsSection

    # Of the camera, its size holds for photographs too: regions are in pixels.
    unused = ["camera.controls"] if profile.camera.controls != ControlsSection() else []
    unused += [f"measure.frames = {profile.measure.frames}"] if profile.measure.frames > 1 else []
    if profile.measure.max_spread is not None:
        unused.append("measure.max_spread")
    if profile.quality.motion is not None:
        unused.append("quality.motion")
    if unused:
        _report(f"each picture is a reading of its own; of the profile, {', '.join(unused)} is not used")


def _say_what_colours_are_wanted(bundle: Bundle) -> None:
    """Say that pictures as a camera took them have other colours than the bundle was trained on."""
    from analyte.runtime.measuring import changes_of_colours

    trained = bundle.manifest.provenance.dataset.colours
    if changes_of_colours(trained):
        _report(
            f"the bundle was trained on pictures whose colours were corrected ({trained}): values of others "
            "are wrong. Pass --device with its [colour] for pictures as the camera took them"
        )


def _print(readings: list[Reading], *, as_json: bool, as_csv: bool) -> None:
    from analyte.runtime.reading_formats import to_csv, to_json_list, to_table

    form = to_json_list if as_json else to_csv if as_csv else to_table
    # Bytes: units such as µg/mL must come out whatever the locale is.
    click.echo(form(readings).encode())


def _refuse_other_pixels(profile: DeviceProfile | None, boxes: Mapping[str, Box]) -> None:
    """Refuse regions beside markers: of which picture they would be is not said. Raises: SettingsError."""
    from analyte.contract.errors import SettingsError

    if boxes and profile is not None and profile.region.markers is not None:
        raise SettingsError(
            "--region: with [region.markers], pixels are those of the rectified picture and not of IMAGE",
            fix="Write the region under [region.boxes] of the profile, in pixels of the rectified picture",
        )


def _refuse_other_things(paths: Iterable[Path]) -> None:
    """Say what to do with a video, and with a folder whose pictures lie deeper. Raises: InputError."""
    from analyte.contract.errors import InputError
    from analyte.contract.imaging import IMAGE_SUFFIXES
    from analyte.contract.labels_file import VIDEO_SUFFIXES
    from analyte.runtime.sources.folder import image_files, is_folder, other_files

    endings = ", ".join(sorted(IMAGE_SUFFIXES))
    for path in paths:
        if path.suffix.lower() in VIDEO_SUFFIXES and not is_folder(path):
            raise InputError(
                "is a video, and pictures are read here",
                where=path,
                fix="analyte daemon --device PROFILE --bundle BUNDLE "
                f"--source {path.name} measures its frames",
            )
        if not is_folder(path):
            continue
        others = [file.name for file in other_files(path)]
        if not image_files(path):
            deeper = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
            found = [f"sub-folders {_shown(deeper)}"] if deeper else []
            found += [f"other files {_shown(others)}"] if others else []
            raise InputError(
                "no pictures in the folder itself",
                where=path,
                expected=f"names that end in {endings}",
                got="; ".join(found) or "an empty folder",
                fix="Name the folders that hold pictures; a dataset with known values is measured by "
                "analyte evaluate BUNDLE DATASET"
                if deeper
                else None,
            )
        if others:
            _report(f"{path}: left out, for they do not end in {endings}: {_shown(others)}")


def _shown(names: list[str]) -> str:
    from analyte.runtime.tables import printable

    return printable(", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else ""))


def _host() -> str:
    import platform

    return platform.node() or "unknown"


def _report(text: str) -> None:
    click.echo(f"analyte read: {text}", err=True)
