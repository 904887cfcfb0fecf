"""Every wiring in turn on the same nodes, tested and measured."""
