"""Brings nodes to their plans: the difference, SSH, and what a task tells meanwhile."""
