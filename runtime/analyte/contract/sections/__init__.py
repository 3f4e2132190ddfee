"""The sections of a device profile, one per file."""
