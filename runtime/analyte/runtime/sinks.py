"""Who is told of a reading after it was stored."""

from __future__ import annotations

from typing import BinaryIO, Protocol

from analyte.contract.output import from_os_error
from analyte.contract.reading import Reading


class SinkClosed(Exception):  # noqa: N818 - a reader that goes away is no error of ours
    """Whoever read the sink is gone. Its text says who."""


class Sink(Protocol):
    """Passes readings on, refused ones included."""

    def publish(self, reading: Reading) -> None:
        """Pass a reading on before returning.

        Raises: SinkClosed when nobody is there any more; OutputError when it cannot be written.
        """
        ...

    def close(self) -> None:
        """Release the sink; may be called twice."""
        ...


class JsonLines:
    """One JSON object per line, UTF-8 whatever the locale, flushed after each."""

    def __init__(self, stream: BinaryIO, name: str = "stdout") -> None:
        self._stream = stream
        self._name = name

    def publish(self, reading: Reading) -> None:
        """Write a line and flush it."""
        try:
            self._stream.write(reading.to_json().encode() + b"\n")
            self._stream.flush()
        except BrokenPipeError as error:
            raise SinkClosed(f"the reader of {self._name} is gone") from error
        except OSError as error:
            raise from_os_error(error, self._name) from error

    def close(self) -> None:
        """Leave the stream to whoever opened it."""
