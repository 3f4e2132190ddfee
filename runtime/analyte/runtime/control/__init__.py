"""Quality control: control samples, rules, lock-out and recalibration, all of it in the audit trail."""
