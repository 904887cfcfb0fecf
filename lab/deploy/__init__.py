"""A release on its way: built, pushed, and brought to the nodes without losing a request."""
