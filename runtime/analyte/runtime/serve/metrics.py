"""Figures for Prometheus, in its text format 0.0.4."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict

from analyte.contract.reading import Reading
from analyte.runtime.serve.instrument import DeviceStatus


class Figures:
    """Counts what was measured since the start. May be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings = 0
        self._refused: Counter[str] = Counter()
        self._latency_s: defaultdict[str, float] = defaultdict(float)
        self._latency_n: Counter[str] = Counter()

    def add(self, reading: Reading) -> None:
        """Count a reading."""
        with self._lock:
            self._readings += 1
            if reading.refused:
                self._refused[str(reading.reason)] += 1
            for stage, milliseconds in reading.latency_ms.items():
                self._latency_s[stage] += milliseconds / 1000
                self._latency_n[stage] += 1

    def text(self, status: DeviceStatus) -> str:
        """Return all figures."""
        with self._lock:
            lines = _family("analyte_readings_total", "counter", "Readings made, refused ones included.")
            lines.append(f"analyte_readings_total {self._readings}")
            lines += _family("analyte_refusals_total", "counter", "Readings refused, by reason.")
            lines += [f'analyte_refusals_total{{reason="{k}"}} {v}' for k, v in sorted(self._refused.items())]
            name = "analyte_stage_latency_seconds"
            lines += _family(name, "summary", "Time spent by stage of a reading.")
            for stage in sorted(self._latency_s):
                lines.append(f'{name}_sum{{stage="{_escaped(stage)}"}} {self._latency_s[stage]:.6f}')
                lines.append(f'{name}_count{{stage="{_escaped(stage)}"}} {self._latency_n[stage]}')
        gauges: list[tuple[str, str, float | None]] = [
            ("analyte_frame_age_seconds", "Age of the newest good frame.", status.frame_age_s),
            ("analyte_queue_depth", "Measurements that wait to be stored.", status.queue_depth),
            ("analyte_disk_free_bytes", "Free room where readings are kept.", status.disk_free_mb * 1e6),
            ("analyte_measuring", "1 while the device measures.", status.measuring),
            ("analyte_control_in_date", "1 while the control is in date.", status.control_ok),
        ]
        if status.mqtt is not None:
            gauges += [
                ("analyte_mqtt_connected", "1 while the broker is connected.", status.mqtt.connected),
                (
                    "analyte_mqtt_waiting",
                    "Readings that the broker has not acknowledged.",
                    status.mqtt.waiting,
                ),
            ]
        for name, text, value in gauges:
            if value is not None:
                lines += [*_family(name, "gauge", text), f"{name} {float(value):g}"]
        if status.drift:
            name = "analyte_control_drift"
            lines += _family(name, "gauge", "Where the drift chart of a control material stands, in its s.")
            lines += [f'{name}{{material="{_escaped(k)}"}} {v:g}' for k, v in sorted(status.drift.items())]
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
