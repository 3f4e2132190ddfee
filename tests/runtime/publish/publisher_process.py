"""A process that sends the readings of a file until it is killed: FOLDER PORT KEYS."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.publish.outboxes import FileOutbox
from runtime.publish.publishers import access, publishing


def main() -> None:
    folder, port, more = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

    @contextmanager
    def opened() -> Iterator[FileOutbox]:
        outbox = FileOutbox(folder / "outbox.sqlite")
        yield outbox
        outbox.close()

    with publishing(access(folder, port, more=more), opened):
        sys.stdout.write("started\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
