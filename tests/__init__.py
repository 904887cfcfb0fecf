"""The project's tests; `python -m tests` runs them."""
