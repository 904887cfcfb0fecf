"""Somebody who uses the site: a small client, the journey, and looking on meanwhile."""
