"""Faults on purpose, with a client that writes down what it was promised meanwhile."""
