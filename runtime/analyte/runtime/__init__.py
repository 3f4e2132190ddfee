"""The device: engines, frame sources, pipeline, store and daemon. Never needs the training framework."""
