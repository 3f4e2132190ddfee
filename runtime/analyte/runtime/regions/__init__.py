"""Where in a frame the views of a reading lie: fixed, searched for, rectified, or many at once."""
