"""Sending readings while the daemon runs, where the profile asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from analyte.contract.profile import DeviceProfile
from analyte.runtime.bundles.runner import Opened
from analyte.runtime.publish.status import PublisherStatus


@contextmanager
def sending(
    profile: DeviceProfile,
    where: Path,
    store: Path,
    opened: Opened,
    report: Callable[[str], None],
) -> Iterator[Callable[[], PublisherStatus] | None]:
    """Send what the store at ``store`` holds until the end of the block, in a thread of its own.

    Gives what tells how it stands, or None where the profile sends nothing.

    ``where``: the profile's file. ``report`` is told in one line whenever matters change.
    Raises: ProfileError for a password or a certificate that cannot be used; UnavailableError.
    """
    if profile.mqtt is None:
        yield None
        return
    from analyte.contract.versions import installed_versions
    from analyte.runtime.publish.opening import access_of, start_publisher
    from analyte.runtime.publish.state import Running
    from analyte.runtime.store.outbox import SqliteOutbox

    label = opened.bundle.manifest.label
    # Where bundles may be swapped meanwhile, only each reading can say which one it comes from.
    fixed = profile.bundles.folder is None
    running = Running(
        device=profile.device.id,
        analyte=label.analyte,
        unit=label.unit,
        bundle=opened.bundle.id if fixed else "",
        artifact=opened.artifact.name if fixed else "",
        engine=opened.engine.info.engine if fixed else "",
        provider=opened.engine.info.provider if fixed else "",
        version=installed_versions(())["analyte"],
    )
    access = access_of(profile, profile.mqtt, where=where)
    publisher = start_publisher(access, profile.mqtt, running, lambda: closing(SqliteOutbox(store)), report)
    try:
        yield publisher.status
    finally:
        publisher.close()
