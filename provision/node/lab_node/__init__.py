"""The node's own programs, which run as root with its system's Python and nothing else.

A module that has a `main` is what the program of its name in sbin/ runs: observe, lab-observe.
None imports more than it needs: some are started for each step of a task.
"""
