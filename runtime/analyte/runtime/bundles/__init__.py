"""Which bundle a device runs: what it keeps, the trial of a new one beside the old, the way back."""
