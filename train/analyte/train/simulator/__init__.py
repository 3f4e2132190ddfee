"""Photographs of a colorimetric reaction in a well, computed from spectra.

Start at `writer.write_dataset`, `clip.render_clip` and `config.SimulationConfig`. The physics, and the module
that holds it: what absorbs (`chemistry`), light and camera spectra (`spectra`), how they differ between days
(`sessions`), well, liquid and plate (`scene`), noise and picture processing (`sensor`). `studio` puts them
together, and `noise_floor` says how well anyone could read the pictures.
"""
