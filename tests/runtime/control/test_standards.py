"""Standards that the running daemon measures, and the recalibration made of them."""

from __future__ import annotations

import uuid

import pytest

from analyte.contract.errors import InputError, RoleError, SettingsError
from analyte.contract.event import Role
from analyte.runtime.control.standards import STANDARD, Standards, summary
from runtime.control.memory_trail import LABEL, Device, read, refused

WHO, ROLE = "ann", Role.OPERATOR
BOSS = ("bob", Role.SUPERVISOR)
OTHER = "cd" * 32


@pytest.fixture
def device() -> Device:
    return Device()


def bench_of(device: Device) -> Standards:
    return Standards(device.control, device.trail, lambda: LABEL, now=device.clock)


def measure(device: Device, bench: Standards, known: float, value: float) -> str:
    """Return the id of the reading."""
    answer = bench.expect(known, WHO, ROLE)
    held = device.control.recalibration()
    shown = read(value, id=str(uuid.uuid4()), recalibration="" if held is None else held.version)
    assert device.control.admitted([shown]) == []
    return answer.result(timeout=0).id


def test_the_next_reading_is_the_standard_and_none_of_a_specimen(device: Device) -> None:
    bench = bench_of(device)
    id = measure(device, bench, 20.0, 22.0)
    (one,) = bench.newest()
    assert (one.who, one.record.id, one.record.known, one.record.reading) == (WHO, id, 20.0, 22.0)
    assert device.trail.whats == [STANDARD]


def test_recalibration_is_made_of_what_was_measured(device: Device) -> None:
    bench = bench_of(device)
    ids = [measure(device, bench, known, known + 2.0) for known in (20.0, 50.0, 80.0)]
    record = bench.recalibrate("regression", [*ids, ids[0]], *BOSS, "new lamp")
    assert len(record.standards) == 3
    assert record.correction.correction().value(52.0) == pytest.approx(50.0)
    assert device.control.recalibration() == record
    assert summary(record).startswith("version 1: 1 x reading - 2 ")


def test_a_standard_read_under_a_recalibration_is_fitted_without_it(device: Device) -> None:
    bench = bench_of(device)
    bench.recalibrate("offset", [measure(device, bench, 20.0, 22.0)], *BOSS, "new lamp")
    # Corrected already: 20 is what the network calls 22.
    id = measure(device, bench, 20.0, 20.0)
    assert bench.newest()[-1].record.reading == pytest.approx(22.0)
    record = bench.recalibrate("offset", [id], *BOSS, "again")
    assert record.correction.intercept == pytest.approx(-2.0)


def test_what_was_not_measured_here_today_is_not_used(device: Device) -> None:
    bench = bench_of(device)
    id = measure(device, bench, 20.0, 22.0)
    with pytest.raises(SettingsError, match="was not measured with this bundle"):
        bench.recalibrate("offset", [id, "made-up"], *BOSS, "x")
    device.control.switch(OTHER)
    with pytest.raises(SettingsError, match="was not measured with this bundle"):
        bench.recalibrate("offset", [id], *BOSS, "x")
    device.control.switch(read(0.0).bundle)
    device.clock.wait(23.9)
    assert len(bench.newest()) == 1
    device.clock.wait(0.2)
    assert bench.newest() == []


@pytest.mark.parametrize("known", [float("nan"), float("inf"), -1.0, 100.5])
def test_known_values_outside_the_range_are_refused_before_anything_is_measured(
    device: Device, known: float
) -> None:
    with pytest.raises(InputError, match="outside the calibrated range"):
        bench_of(device).expect(known, WHO, ROLE)
    assert len(device.control.admitted([read(20.0)])) == 1


def test_a_refused_picture_is_no_standard(device: Device) -> None:
    answer = bench_of(device).expect(20.0, WHO, ROLE)
    assert device.control.admitted([refused()]) == []
    with pytest.raises(InputError, match="gave no value"):
        answer.result(timeout=0)
    assert device.trail.whats == []


def test_roles(device: Device) -> None:
    bench = bench_of(device)
    with pytest.raises(RoleError):
        bench.expect(20.0, WHO, Role.VIEWER)
    id = measure(device, bench, 20.0, 22.0)
    with pytest.raises(RoleError):
        bench.recalibrate("offset", [id], WHO, ROLE, "x")


def test_one_request_at_a_time(device: Device) -> None:
    bench_of(device).expect(20.0, WHO, ROLE)
    with pytest.raises(InputError, match=r"a standard of 20 .* is waited for already"):
        device.control.expect("low", WHO, ROLE)


def test_who_waits_is_told_of_a_failure_that_ends_the_daemon(device: Device) -> None:
    def take(_: object) -> None:
        raise RuntimeError("unforeseen")

    answer = device.control.expect_reading("a standard", "", take)
    with pytest.raises(RuntimeError, match="unforeseen"):
        device.control.admitted([read(20.0)])
    assert answer.done()
    assert str(answer.exception(timeout=0)) == "unforeseen"
