"""Readings: lists with filters and a cursor, one by id, CSV, and live ones as events."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi import Path as InPath
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from analyte.contract.reading import Flag, Reason
from analyte.runtime.serve.context import Context, context_of
from analyte.runtime.serve.events import EventStream
from analyte.runtime.serve.words import FLAG_WORDS, REASON_WORDS
from analyte.runtime.store.exporting import READING_FIELDS, CsvTable, Line
from analyte.runtime.store.protocol import ReadingFilter, StoredReading

router = APIRouter(prefix="/api/v1", tags=["readings"])
_MOST = 2**62
_PAGE = 500
_EVENTS: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]")


class CsvResponse(StreamingResponse):
    """A table."""

    media_type = "text/csv"


class PngResponse(Response):
    """A picture."""

    media_type = "image/png"


class ReadingPage(BaseModel):
    """Readings, newest first."""

    readings: list[dict[str, Any]]
    """As `analyte log export` writes them, with ``sequence``."""
    next_before: int | None
    """Cursor: pass it as ``before`` for the readings that come earlier; None at the end."""


def _utc(at: datetime | None) -> str | None:
    try:
        return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError as error:
        raise HTTPException(422, "The time is outside the calendar.") from error


def _iso(text: object) -> object:
    """Refuse a bare number: whether it is meant in seconds or in a calendar's terms, nobody knows."""
    if isinstance(text, str) and not _DATE.match(text):
        raise ValueError("expected a time as in 2026-01-31T08:00:00Z")
    return text


Time = Annotated[AwareDatetime, BeforeValidator(_iso, json_schema_input_type=AwareDatetime)]


class Wanted(BaseModel):
    """Which readings. A key that is mistyped is refused: the list would not be what was asked for."""

    model_config = ConfigDict(extra="forbid")
    since: Time | None = None
    until: Time | None = None
    refused: bool | None = None
    reason: Reason | None = None
    flag: Flag | None = None
    site: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]*$")] | None = None

    def filter(self) -> ReadingFilter:
        """Return what the store is asked for. Raises: HTTPException 422 for a time beyond the calendar."""
        return ReadingFilter(
            _utc(self.since), _utc(self.until), self.refused, self.reason, self.flag, self.site
        )


class WantedPage(Wanted):
    """The same, and which page of them."""

    before: Annotated[int, Field(ge=1, le=_MOST)] | None = None
    limit: Annotated[int, Field(ge=1, le=_PAGE)] = 100


ReadingId = Annotated[str, InPath(max_length=64, pattern=r"^[A-Za-z0-9-]+$")]


@router.get("/readings", response_model=ReadingPage)
def readings(request: Request, wanted: Annotated[WantedPage, Query()]) -> Response:
    """Return readings, newest first."""
    found = context_of(request).newest(wanted.filter(), wanted.before, wanted.limit)
    cursor = str(found[-1].sequence) if len(found) == wanted.limit else "null"
    # The store keeps JSON: a hundred pages ask often, and to read and write it anew is most of the work.
    listed = ",".join(f'{{"sequence":{one.sequence},{one.json[1:]}' for one in found)
    return Response(f'{{"readings":[{listed}],"next_before":{cursor}}}', media_type="application/json")


@router.get("/readings.csv", response_class=CsvResponse)
def readings_csv(request: Request, wanted: Annotated[Wanted, Query()]) -> StreamingResponse:
    """Return readings as CSV, newest first; the columns of ``analyte log export``."""
    headers = {"content-disposition": 'attachment; filename="readings.csv"'}
    return CsvResponse(_csv(context_of(request), wanted.filter()), headers=headers)


def _csv(context: Context, wanted: ReadingFilter) -> Iterator[bytes]:
    buffer = io.BytesIO()
    table = CsvTable(buffer, READING_FIELDS)
    before: int | None = None
    while True:
        found = context.newest(wanted, before, _PAGE)
        table.write([Line(one.sequence, one.json) for one in found])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        if len(found) < _PAGE:
            return
        before = found[-1].sequence


@router.get("/readings/{id}")
def reading(request: Request, id: ReadingId) -> dict[str, Any]:
    """Return one reading."""
    return _with_sequence(_found(request, id))


@router.get("/readings/{id}/picture", response_class=PngResponse)
def reading_picture(request: Request, id: ReadingId) -> Response:
    """Return the frame of a refused reading as PNG."""
    name = json.loads(_found(request, id).json).get("frame_file", "")
    data = context_of(request).instrument.refused_picture(name) if name else None
    if data is None:
        raise HTTPException(404, "No picture was kept of this reading, or newer ones took its room.")
    return PngResponse(data)


@router.get("/events", response_class=Response, responses={200: {"content": _EVENTS}})
async def events(request: Request) -> Response:
    """Send every new reading as a server-sent event."""
    broker = context_of(request).broker
    client = broker.join()
    if client is None:
        raise HTTPException(503, "Too many listen already.")
    client.still = request.scope["analyte.still"]
    return EventStream(broker, client)


@router.get("/words")
def words() -> dict[str, dict[str, str]]:
    """Return flags and reasons of refusals in plain words."""
    return {
        "flags": {str(name): text for name, text in FLAG_WORDS.items()},
        "reasons": {str(name): text for name, text in REASON_WORDS.items()},
    }


def _found(request: Request, id: str) -> StoredReading:
    found = context_of(request).find(id)
    if found is None:
        raise HTTPException(404, "There is no such reading.")
    return found


def _with_sequence(one: StoredReading) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(one.json)
    return {"sequence": one.sequence, **fields}
