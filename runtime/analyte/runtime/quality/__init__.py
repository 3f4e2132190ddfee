"""Whether a photograph is good enough to be measured."""
