"""Standards of known value, and recalibrating from them."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from analyte.runtime.serve.context import context_of
from analyte.runtime.serve.instrument import RecalibrationWish, StandardStatus
from analyte.runtime.serve.routes.actions import Done, Operator, Supervisor, Why

router = APIRouter(prefix="/api/v1", tags=["calibration"])


class StandardWish(BaseModel):
    """Which standard stands before the camera."""

    model_config = ConfigDict(extra="forbid", strict=True)
    known: FiniteFloat
    """Label's unit."""
    well: str = Field(default="", max_length=64)
    """The one that holds it; empty where a picture gives one reading."""


class StandardsAnswer(BaseModel):
    """Standards of the last 24 hours, oldest first."""

    standards: list[StandardStatus]


@router.get("/standards")
def standards(request: Request) -> StandardsAnswer:
    """Return the standards of the last 24 hours, oldest first."""
    return StandardsAnswer(standards=context_of(request).instrument.standards())


@router.post("/standards")
def measure_standard(request: Request, person: Operator, wish: StandardWish) -> Done:
    """Take the next reading as that of a standard of known value."""
    context = context_of(request)

    def do() -> str:
        return context.instrument.measure_standard(wish.known, wish.well, person.name, person.role)

    return Done(result=context.act(person, "standard.asked", do))


@router.post("/recalibrations")
def recalibrate(request: Request, person: Supervisor, wish: RecalibrationWish) -> Done:
    """Correct every later reading by standards that were measured."""
    context = context_of(request)

    def do() -> str:
        return context.instrument.recalibrate(wish, person.name, person.role)

    return Done(result=context.act(person, "recalibration.asked", do, wish.why))


@router.post("/recalibrations/undo")
def undo(request: Request, person: Supervisor, given: Why) -> Done:
    """Take the newest recalibration back; the one before holds again."""
    context = context_of(request)

    def do() -> str:
        return context.instrument.undo_recalibration(person.name, person.role, given.why)

    return Done(result=context.act(person, "recalibration.undo_asked", do, given.why))
