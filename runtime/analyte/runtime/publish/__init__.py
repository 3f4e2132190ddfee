"""Sending readings to others over the network."""
