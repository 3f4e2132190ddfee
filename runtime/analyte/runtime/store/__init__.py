"""What the device keeps: readings and events in one chain, the outbox, and who may look at them."""
