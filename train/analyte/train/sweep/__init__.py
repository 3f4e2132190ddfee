"""Search over the settings of a training, many trials at a time, on Ray Tune."""
