"""What training, export and the device agree on. Needs numpy, OpenCV and pydantic only."""
