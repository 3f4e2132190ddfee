"""What a person has the device do; every action stands in the audit trail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from analyte.contract.event import Role
from analyte.runtime.serve.context import Needs, context_of
from analyte.runtime.serve.security import Person

router = APIRouter(prefix="/api/v1", tags=["actions"])
Operator = Annotated[Person, Depends(Needs(Role.OPERATOR))]
Supervisor = Annotated[Person, Depends(Needs(Role.SUPERVISOR))]


class Done(BaseModel):
    """What came of an action."""

    result: str


class ControlWish(BaseModel):
    """Which control to run."""

    model_config = ConfigDict(extra="forbid", strict=True)
    material: str = Field(min_length=1, max_length=64)
    well: str = Field(default="", max_length=64)
    """The one that holds it; empty where a picture gives one reading."""


class Why(BaseModel):
    """The reason that a person gives."""

    model_config = ConfigDict(extra="forbid", strict=True)
    why: str = Field(min_length=1, max_length=500)


@router.post("/start")
def start(request: Request, person: Operator) -> Done:
    """Go on measuring."""
    context = context_of(request)
    return Done(result=context.act(person, "measuring.started", context.instrument.start))


@router.post("/stop")
def stop(request: Request, person: Operator) -> Done:
    """Measure no more until start."""
    context = context_of(request)
    return Done(result=context.act(person, "measuring.stopped", context.instrument.stop))


@router.post("/measure")
def measure(request: Request, person: Operator) -> Done:
    """Make the next reading at once."""
    context = context_of(request)
    return Done(result=context.act(person, "measuring.asked", context.instrument.measure_now))


@router.post("/controls")
def run_control(request: Request, person: Operator, wish: ControlWish) -> Done:
    """Take the next reading as that of a control."""
    context = context_of(request)

    def do() -> str:
        return context.instrument.run_control(wish.material, wish.well, person.name, person.role)

    return Done(result=context.act(person, "control.asked", do))


@router.post("/controls/release")
def release(request: Request, person: Supervisor, given: Why) -> Done:
    """Let readings go on after a failed control."""
    context = context_of(request)

    def do() -> None:
        context.instrument.release(person.name, person.role, given.why)

    return Done(result=context.act(person, "lockout.release_asked", do, given.why))
