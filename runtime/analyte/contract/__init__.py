"""What training, export and the device agree on. Needs numpy, OpenCV and pydantic only."""

import os

# OpenCV prints decoder chatter to stderr; errors are raised in words instead. It reads this while it is being
# loaded, so it has to stand before the first module of ours that imports it.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
