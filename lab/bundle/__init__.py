"""What a lab needs where there is no network, as one file: written, checked, brought in.

What brings it in (`manifest`, `archive`, `load`) needs Python alone: the tools are in the bundle.
"""
