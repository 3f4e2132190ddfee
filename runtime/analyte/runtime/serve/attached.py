"""The page of a running daemon: bound before the camera opens, served once there is something to show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from analyte.contract.profile import DeviceProfile
from analyte.contract.sections.serve import ServeSection
from analyte.runtime.bundles.runner import Runner
from analyte.runtime.bundles.shelf import Shelf
from analyte.runtime.bundles.swap import BundleSwap
from analyte.runtime.control.quality_control import QualityControl
from analyte.runtime.control.standards import Standards
from analyte.runtime.publish.status import PublisherStatus
from analyte.runtime.recorder import Recorder
from analyte.runtime.serve.context import Context
from analyte.runtime.serve.device import DeviceInstrument
from analyte.runtime.serve.events import Broker
from analyte.runtime.serve.gate import Gate, PageSink, Tap
from analyte.runtime.serve.metrics import Figures
from analyte.runtime.serve.security import Gatekeeper
from analyte.runtime.serve.server import PageServer, listen
from analyte.runtime.serve.tokens import TokenFile
from analyte.runtime.sinks import Sink
from analyte.runtime.sources.protocol import FrameSource
from analyte.runtime.store.history import SqliteReadingLog
from analyte.runtime.store.protocol import Trail


class DevicePage:
    """Page and API beside the measuring loop."""

    def __init__(self, profile: DeviceProfile, where: Path, sink: Sink) -> None:
        """Bind the address. Raises: ProfileError; InputError, IntegrityError for the file of tokens."""
        self._profile, self._where = profile, where
        self._section = profile.serve or ServeSection()
        tokens = self._section.tokens
        self._tokens = None if tokens is None else TokenFile(where.parent / tokens)
        if self._tokens is not None:
            self._tokens.records()
        self._bound = listen(self._section, where)
        self._broker, self._figures = Broker(), Figures()
        self.gate = Gate()
        self.sink = PageSink(sink, self._broker, self._figures)
        self._server: PageServer | None = None
        self._log: SqliteReadingLog | None = None

    def open(
        self,
        source: FrameSource,
        store: Path,
        running: Callable[[], Runner],
        control: QualityControl,
        trail: Trail,
        recorder: Recorder,
        shelf: Shelf | None,
        swap: BundleSwap | None,
        sent: Callable[[], PublisherStatus] | None,
    ) -> Tap:
        """Serve; return the source to measure from. Raises: InputError for TLS files."""
        tap = Tap(source)
        standards = Standards(control, trail, lambda: running().bundle.manifest.label)
        instrument = DeviceInstrument(
            self._profile, self._where, store, running, control, standards, trail, recorder,
            self.gate, tap, self.sink, shelf, swap, sent,
        )  # fmt: skip
        self._log = SqliteReadingLog(store)
        keeper = Gatekeeper(self._tokens, 3600 * self._section.session_h)
        context = Context(self._section, instrument, self._log, trail, keeper, self._broker, self._figures)
        self._server = PageServer(context, self._bound, self._where)
        return tap

    @property
    def address(self) -> str:
        """Where the page is."""
        host = self._section.host if ":" not in self._section.host else f"[{self._section.host}]"
        return f"{'http' if self._section.tls is None else 'https'}://{host}:{self._section.port}"

    def close(self) -> None:
        """Serve no more; may be called twice."""
        if self._server is not None:
            self._server.close()
        if self._log is not None:
            self._log.close()
        self._bound.close()
