"""Keeps one MySQL server in its group, and tells balancers which role it has there."""
