"""``report.html``: what a lab files about a run. Needs no TensorFlow; `contents` says what goes in."""
