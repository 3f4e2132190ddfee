"""A device's quality control: what controls stop, who lets it go on, and that it all lives in the trail."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.errors import InputError, IntegrityError, RoleError
from analyte.contract.event import Event, Role
from analyte.contract.reading import Reason
from analyte.contract.sections.control import ControlSection
from analyte.runtime.control.events import MEASURED, RECALIBRATED, ControlRecord
from analyte.runtime.control.quality_control import QualityControl
from analyte.runtime.control.recalibration import Standard
from analyte.runtime.store.protocol import StoredEvent
from runtime.control.memory_trail import BUNDLE, LABEL, SECTION, Device, MemoryTrail, read, refused

WHO, ROLE = "ann", Role.OPERATOR
BOSS = ("bob", Role.SUPERVISOR)
OTHER = "cd" * 32
OFFSET = [Standard(20.0, 22.0, 0.5)]


@pytest.fixture
def device() -> Device:
    return Device()


def measured(device: Device, material: str, value: float, **more: object) -> ControlRecord:
    device.clock.wait(2.0)
    held = device.control.recalibration()
    reading = read(value, recalibration="" if held is None else held.version, **more)
    record = device.control.measured(material, reading, WHO, ROLE)
    assert record is not None
    return record


def both(device: Device) -> None:
    measured(device, "low", 20.5)
    measured(device, "high", 79.0)


def reason(device: Device) -> Reason | None:
    (found,) = device.control.admitted([read(50.0)])
    assert (found.value is None) == found.refused
    return found.reason


class TestControls:
    def test_a_good_one(self, device: Device) -> None:
        record = measured(device, "high", 83.0)
        assert (record.z, record.outcome, record.broken) == (1.5, "accepted", ())
        (stored,) = device.trail.stored
        assert (stored.event.what, stored.event.who, stored.event.role) == (MEASURED, WHO, ROLE)
        assert ControlRecord.model_validate(stored.event.new) == record

    def test_a_warning_stops_nothing(self, device: Device) -> None:
        both(device)
        assert measured(device, "low", 22.1).outcome == "warning"
        assert reason(device) is None

    def test_rules_look_across_materials(self, device: Device) -> None:
        measured(device, "low", 22.1)
        record = measured(device, "high", 84.2)
        assert (record.outcome, record.rules) == ("failed", ("2-2s", "1-2s"))
        assert record.broken[0] == "2-2s across materials (+2.10, +2.10 s)"

    def test_one_without_a_value_counts_as_not_measured(self, device: Device) -> None:
        assert device.control.measured("low", refused(), WHO, ROLE) is None
        below = dataclasses.replace(read(1.0), value=None, lower=None, sigma=None)
        assert device.control.measured("low", below, WHO, ROLE) is None
        assert device.trail.whats == ["control.not_measured"] * 2
        assert reason(device) is Reason.CONTROL_DUE
        assert device.control.status().materials[0].last is None
        # Nor does it stand between two that break a rule together.
        measured(device, "low", 22.1)
        device.control.measured("low", refused(), WHO, ROLE)
        assert measured(device, "low", 22.1).outcome == "failed"

    def test_unknown_and_expired_materials(self) -> None:
        section = ControlSection.model_validate(
            {"materials": [{"name": "low", "target": 20, "s": 1, "expires": "2026-03-01"}]}
        )
        device = Device(section)
        with pytest.raises(InputError, match="no control material 'hihg'; expected low"):
            device.control.measured("hihg", read(20.0), WHO, ROLE)
        measured(device, "low", 20.0)  # on the last day
        device.clock.wait(24.0)
        with pytest.raises(InputError, match="has expired; expected a day until 2026-03-01"):
            device.control.measured("low", read(20.0), WHO, ROLE)
        assert device.control.status().materials[0].expired

    def test_another_lot_begins_another_series(self, device: Device) -> None:
        measured(device, "low", 22.1)
        new = SECTION.materials[0].model_copy(update={"lot": "B"})
        device.section = SECTION.model_copy(update={"materials": (new, SECTION.materials[1])})
        device.control = device.opened()
        assert measured(device, "low", 22.1).outcome == "warning"

    def test_another_bundle_begins_another_series(self, device: Device) -> None:
        measured(device, "low", 22.1)
        device.control = device.opened(OTHER)
        assert measured(device, "low", 22.1, bundle=OTHER).outcome == "warning"

    def test_a_reading_of_another_bundle_is_no_control(self, device: Device) -> None:
        with pytest.raises(InputError, match="another bundle or recalibration"):
            device.control.measured("low", read(20.0, bundle=OTHER), WHO, ROLE)

    def test_viewers_measure_nothing(self, device: Device) -> None:
        with pytest.raises(RoleError, match="expected operator or above; got viewer"):
            device.control.measured("low", read(20.0), WHO, Role.VIEWER)

    def test_drift(self) -> None:
        raw = SECTION.model_dump() | {"reject": ("1-3s",), "drift": {"method": "cusum", "action": "reject"}}
        device = Device(ControlSection.model_validate(raw))
        outcomes = [measured(device, "low", 21.0).outcome for _ in range(11)]
        assert outcomes == ["accepted"] * 10 + ["failed"]
        warning = raw | {"drift": {"method": "cusum", "action": "warn"}}
        device = Device(ControlSection.model_validate(warning))
        records = [measured(device, "low", 21.0) for _ in range(11)]
        assert (records[-1].outcome, records[-1].rules) == ("warning", ("cusum",))


class TestLockOut:
    def test_until_it_is_released(self, device: Device) -> None:
        both(device)
        assert reason(device) is None
        measured(device, "low", 25.0)
        (found,) = device.control.admitted([read(50.0)])
        assert (found.reason, found.value, found.lower, found.upper, found.sigma) == (
            Reason.CONTROL_FAILED, None, None, None, None,
        )  # fmt: skip
        assert "control 'low' failed" in found.detail
        assert "1-3s (+5.00 s)" in found.detail
        # A control that passes afterwards does not release it.
        both(device)
        assert reason(device) is Reason.CONTROL_FAILED
        device.control.release(*BOSS, "pipette replaced")
        assert reason(device) is None
        event = device.trail.stored[-1].event
        assert (event.what, event.who, event.role, event.why) == (
            "lockout.released", "bob", Role.SUPERVISOR, "pipette replaced",
        )  # fmt: skip
        assert isinstance(event.old, dict)
        assert event.old["material"] == "low"

    def test_it_survives_a_restart(self, device: Device) -> None:
        both(device)
        measured(device, "low", 25.0)
        device.control = device.opened()
        assert reason(device) is Reason.CONTROL_FAILED
        device.control.release(*BOSS, "x")
        device.control = device.opened()
        assert reason(device) is None

    def test_another_process_is_noticed(self, device: Device) -> None:
        both(device)
        other = device.opened()
        other.measured("low", read(25.0), WHO, ROLE)
        assert reason(device) is Reason.CONTROL_FAILED

    def test_the_series_begins_anew_after_a_release(self, device: Device) -> None:
        measured(device, "low", 25.0)
        device.control.release(*BOSS, "x")
        assert measured(device, "low", 22.5).outcome == "warning"

    def test_a_refused_reading_keeps_its_own_reason(self, device: Device) -> None:
        measured(device, "low", 25.0)
        assert device.control.admitted([refused()]) == [refused()]

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.DEVICE])
    def test_not_by_everybody(self, device: Device, role: Role) -> None:
        measured(device, "low", 25.0)
        with pytest.raises(RoleError, match="releasing a lock-out takes another role"):
            device.control.release("x", role, "because")

    def test_by_operators_where_the_profile_says_so(self) -> None:
        device = Device(SECTION.model_copy(update={"release_role": "operator"}))
        measured(device, "low", 25.0)
        device.control.release("x", Role.OPERATOR, "because")
        assert reason(device) is not Reason.CONTROL_FAILED

    def test_not_without_a_reason_nor_without_a_lock(self, device: Device) -> None:
        with pytest.raises(InputError, match="nothing is locked"):
            device.control.release(*BOSS, "x")
        measured(device, "low", 25.0)
        with pytest.raises(InputError, match="a reason is needed"):
            device.control.release(*BOSS, "  ")

    def test_only_where_the_profile_asks_for_it(self) -> None:
        device = Device(SECTION.model_copy(update={"lock_out": False}))
        both(device)
        assert measured(device, "low", 25.0).outcome == "failed"
        assert reason(device) is None

    def test_a_profile_without_materials_does_not_unlock(self, device: Device) -> None:
        measured(device, "low", 25.0)
        device.section = ControlSection()
        device.control = device.opened()
        assert reason(device) is Reason.CONTROL_FAILED


class TestDue:
    def test_before_the_first(self, device: Device) -> None:
        assert reason(device) is Reason.CONTROL_DUE
        measured(device, "low", 20.0)
        (found,) = device.control.admitted([read(50.0)])
        assert found.reason is Reason.CONTROL_DUE
        assert "'high'" in found.detail
        assert "'low'" not in found.detail
        measured(device, "high", 80.0)
        assert reason(device) is None

    def test_after_the_interval(self, device: Device) -> None:
        both(device)
        device.clock.wait(22.0)
        assert reason(device) is None  # low is 24 h old, high 22 h
        device.clock.wait(0.001)
        assert reason(device) is Reason.CONTROL_DUE

    def test_a_failed_one_does_not_count(self) -> None:
        device = Device(SECTION.model_copy(update={"lock_out": False}))
        measured(device, "low", 25.0)
        measured(device, "high", 80.0)
        assert reason(device) is Reason.CONTROL_DUE

    def test_one_of_another_bundle_does_not_count(self, device: Device) -> None:
        both(device)
        device.control = device.opened(OTHER)
        (found,) = device.control.admitted([read(50.0, bundle=OTHER)])
        assert found.reason is Reason.CONTROL_DUE

    def test_after_a_swap_of_bundles(self, device: Device) -> None:
        both(device)
        device.control.recalibrate("offset", OFFSET, LABEL, *BOSS)
        both(device)
        assert reason(device) is None
        # Whichever bundle made a reading, its own controls count.
        old, new = device.control.admitted([read(50.0), read(50.0, bundle=OTHER)])
        assert (old.reason, new.reason) == (None, Reason.CONTROL_DUE)
        assert device.control.recalibration_of(OTHER) is None
        device.control.switch(OTHER)
        assert device.control.recalibration() is None
        assert "does not hold for bundle" in device.control.status().remark
        measured(device, "low", 20.0, bundle=OTHER)
        measured(device, "high", 80.0, bundle=OTHER)
        assert device.control.status().admitted

    def test_a_clock_that_was_set_back(self, device: Device) -> None:
        both(device)
        device.clock.wait(-3.0)
        (found,) = device.control.admitted([read(50.0)])
        assert found.reason is Reason.CONTROL_DUE
        assert "the clock was set back" in found.detail

    def test_never_without_an_interval(self) -> None:
        assert reason(Device(SECTION.model_copy(update={"interval_h": None}))) is None
        assert reason(Device(ControlSection())) is None


class TestRecalibration:
    def test_versions(self, device: Device) -> None:
        assert device.control.recalibration() is None
        first = device.control.recalibrate("offset", OFFSET, LABEL, *BOSS, "new lamp")
        assert (first.version, first.correction.intercept, first.bundle) == ("1", -2.0, BUNDLE)
        second = device.control.recalibrate("offset", [Standard(20, 21, 0.5)], LABEL, *BOSS)
        assert device.control.recalibration() == second
        assert device.opened().recalibration() == second
        event = device.trail.stored[-1].event
        assert (event.what, event.old) == (RECALIBRATED, {"version": "1"})
        assert device.control.undo(*BOSS, "wrong bottle") == "1"
        assert device.control.recalibration() == first
        assert device.control.undo(*BOSS, "that too") == ""
        assert device.control.recalibration() is None
        with pytest.raises(InputError, match="no recalibration to undo"):
            device.control.undo(*BOSS, "x")
        # A number is never used twice.
        assert device.control.recalibrate("offset", OFFSET, LABEL, *BOSS).version == "3"
        assert [one.why for one in device.control.history()] == [
            "new lamp",
            "",
            "wrong bottle",
            "that too",
            "",
        ]

    def test_for_one_bundle_only(self, device: Device) -> None:
        device.control.recalibrate("offset", OFFSET, LABEL, *BOSS)
        assert device.control.invalid_recalibration() == ""
        other = device.opened(OTHER)
        assert other.recalibration() is None
        assert "was made for bundle abababababab and does not hold" in other.invalid_recalibration()
        assert other.status().remark == other.invalid_recalibration()
        # Nor does an older one of this bundle come back: who knows what changed since.
        other.recalibrate("offset", OFFSET, LABEL, *BOSS)
        device.control.refresh()
        assert device.control.recalibration() is None

    def test_controls_are_due_anew(self, device: Device) -> None:
        both(device)
        device.control.recalibrate("offset", OFFSET, LABEL, *BOSS)
        assert reason(device) is Reason.CONTROL_DUE
        both(device)
        assert reason(device) is None
        device.control.undo(*BOSS, "x")
        assert reason(device) is Reason.CONTROL_DUE

    def test_the_series_begins_anew(self, device: Device) -> None:
        measured(device, "low", 22.1)
        device.control.recalibrate("offset", OFFSET, LABEL, *BOSS)
        assert measured(device, "low", 22.1).outcome == "warning"

    def test_it_does_not_release(self, device: Device) -> None:
        measured(device, "low", 25.0)
        device.control.recalibrate("offset", OFFSET, LABEL, *BOSS)
        both(device)
        assert reason(device) is Reason.CONTROL_FAILED

    def test_a_control_is_measured_with_it(self, device: Device) -> None:
        device.control.recalibrate("offset", OFFSET, LABEL, *BOSS)
        with pytest.raises(InputError, match="recalibration in force"):
            device.control.measured("low", read(20.0), WHO, ROLE)

    def test_supervisors_only(self, device: Device) -> None:
        with pytest.raises(RoleError, match="a recalibration takes another role"):
            device.control.recalibrate("offset", OFFSET, LABEL, WHO, ROLE)
        device.control.recalibrate("offset", OFFSET, LABEL, *BOSS)
        with pytest.raises(RoleError, match="undoing"):
            device.control.undo(WHO, ROLE, "x")
        with pytest.raises(InputError, match="a reason is needed"):
            device.control.undo(*BOSS, "")

    def test_two_who_undo_at_once_take_one_step(self, device: Device) -> None:
        first = device.control.recalibrate("offset", OFFSET, LABEL, *BOSS)
        device.control.recalibrate("offset", OFFSET, LABEL, *BOSS)
        device.control.undo(*BOSS, "x")
        again = dataclasses.replace(device.trail.stored[-1].event, who="carl")
        device.trail.add(again)
        assert device.opened().recalibration() == first

    def test_nonsense_leaves_no_trace(self, device: Device) -> None:
        with pytest.raises(InputError, match="offset is too large"):
            device.control.recalibrate("offset", [Standard(20, 60, 0.5)], LABEL, *BOSS)
        assert device.trail.whats == []

    def test_standards_are_taken_before_any_correction(self, device: Device) -> None:
        assert device.control.standard_of(20.0, read(22.0)) == Standard(20.0, 22.0, 0.5)
        held = device.control.recalibrate("offset", OFFSET, LABEL, *BOSS)
        sigma = held.correction.correction().sigma(22.0, 0.5)
        corrected = read(20.0, sigma=sigma, recalibration="1")
        found = device.control.standard_of(20.0, corrected)
        assert (found.reading, found.sigma) == (pytest.approx(22.0), pytest.approx(0.5))
        with pytest.raises(InputError, match="another bundle or recalibration"):
            device.control.standard_of(20.0, read(20.0, recalibration="7"))
        with pytest.raises(InputError, match=r"gave no value; got focus\. expected focus"):
            device.control.standard_of(20.0, refused())


class TestExpected:
    """A control that the running daemon is asked for."""

    def test_the_next_reading_is_the_control_and_none_of_a_specimen(self, device: Device) -> None:
        answer = device.control.expect("low", WHO, ROLE)
        assert not answer.done()
        assert device.control.admitted([read(20.5)]) == []
        record = answer.result(timeout=0)
        assert record is not None
        assert (record.material, record.z) == ("low", 0.5)
        assert device.trail.stored[-1].event.who == WHO
        assert len(device.control.admitted([read(20.5)])) == 1

    def test_one_that_fails_locks_at_once(self, device: Device) -> None:
        both(device)
        answer = device.control.expect("low", WHO, ROLE, site="B2")
        specimen = read(50.0, site="A1")
        (left,) = device.control.admitted([specimen, read(25.0, site="B2")])
        assert (left.site, left.reason) == ("A1", Reason.CONTROL_FAILED)
        record = answer.result(timeout=0)
        assert record is not None
        assert record.outcome == "failed"

    def test_without_a_value(self, device: Device) -> None:
        answer = device.control.expect("low", WHO, ROLE)
        assert device.control.admitted([refused()]) == []
        assert answer.result(timeout=0) is None

    def test_a_well_that_is_not_there(self, device: Device) -> None:
        answer = device.control.expect("low", WHO, ROLE, site="Z9")
        assert len(device.control.admitted([read(20.0)])) == 1
        with pytest.raises(InputError, match="no such well"):
            answer.result(timeout=0)

    def test_one_at_a_time_and_taken_back(self, device: Device) -> None:
        answer = device.control.expect("low", WHO, ROLE)
        with pytest.raises(InputError, match="'low' is waited for already"):
            device.control.expect("high", WHO, ROLE)
        assert answer.cancel()
        device.control.expect("high", WHO, ROLE).cancel()
        assert len(device.control.admitted([read(20.0)])) == 1
        assert device.trail.whats == []

    def test_what_cannot_be_measured_is_said_at_once(self, device: Device) -> None:
        with pytest.raises(InputError, match="no control material"):
            device.control.expect("x", WHO, ROLE)
        with pytest.raises(RoleError):
            device.control.expect("low", WHO, Role.VIEWER)


class TestTrail:
    @pytest.mark.parametrize("what", [MEASURED, RECALIBRATED, "recalibration.undone"])
    def test_what_cannot_be_understood_stops_everything(self, what: str) -> None:
        trail = MemoryTrail()
        trail.add(Event("2026-01-01T00:00:00+00:00", "x", Role.DEVICE, what, old={}, new={"material": 1}))
        with pytest.raises(IntegrityError, match=f"event 1 of the audit trail, {what}, cannot be"):
            QualityControl(trail, SECTION, BUNDLE)

    @pytest.mark.parametrize("at", ["", "yesterday", "2026-01-01T00:00:00"])
    def test_times_without_a_zone(self, at: str) -> None:
        trail = MemoryTrail()
        trail.add(Event(at, "x", Role.DEVICE, "lockout.released"))
        with pytest.raises(IntegrityError, match="cannot be understood"):
            QualityControl(trail, SECTION, BUNDLE)

    def test_events_of_others_are_passed_over(self, device: Device) -> None:
        device.trail.add(Event("whenever", "x", Role.DEVICE, "daemon.started", new=[1]))
        assert device.control.status().admitted is False

    def test_more_events_than_a_page(self, device: Device) -> None:
        for _ in range(2500):
            device.trail.add(Event("", "x", Role.DEVICE, "daemon.started"))
        device.control.measured("low", read(25.0), WHO, ROLE)
        assert device.opened().status().lock is not None

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
        st.sampled_from([MEASURED, RECALIBRATED, "recalibration.undone", "lockout.released"]),
    )
    def test_any_json_is_understood_or_refused(self, new: Any, what: str) -> None:
        trail = MemoryTrail()
        trail.stored.append(
            StoredEvent(1, Event("2026-01-01T00:00:00+00:00", "x", Role.DEVICE, what, old=new, new=new))
        )
        try:
            control = QualityControl(trail, SECTION, BUNDLE)
        except IntegrityError:
            return
        control.status().to_json()

    @pytest.mark.parametrize("name", sorted(ControlRecord.model_fields))
    def test_every_key_of_a_control_is_needed(self, device: Device, name: str) -> None:
        measured(device, "low", 20.0)
        event = device.trail.stored[0].event
        assert isinstance(event.new, dict)
        cut = {key: value for key, value in event.new.items() if key != name}
        device.trail.stored[0] = StoredEvent(1, dataclasses.replace(event, new=cut))
        with pytest.raises(IntegrityError, match=name):
            device.opened()

    def test_threads(self, device: Device) -> None:
        def work() -> None:
            for _ in range(50):
                device.control.measured("low", read(20.5), WHO, ROLE)
                device.control.admitted([read(50.0)])

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(device.trail.stored) == 200
        # 0.5 s above the target ten times in a row is a broken rule, not a race.
        assert device.control.status().lock is not None


def test_the_status_as_json(device: Device) -> None:
    both(device)
    measured(device, "low", 25.0)
    shown = device.control.status().to_json()
    assert (shown["admitted"], shown["reason"]) == (False, "control_failed")
    assert shown["lock"]["material"] == "low"
    low, high = shown["materials"]
    assert (low["last"]["z"], low["last"]["who"]) == (5.0, WHO)
    assert high["due_at"] == "2026-03-02T12:00:00+00:00"
    assert shown["recalibration"] is None


def test_the_bundle_of_the_newest_control_stands_for_one_that_is_not_given(device: Device) -> None:
    both(device)
    assert device.opened("").status().admitted
