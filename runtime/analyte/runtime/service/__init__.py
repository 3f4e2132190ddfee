"""Running under systemd: readiness, watchdog, log lines and the unit."""
