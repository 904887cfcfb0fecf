"""Backups of both databases: taken, proved, brought back."""
