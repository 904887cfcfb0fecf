"""Every wiring in turn on the same nodes, and the article's web beside them: measured."""
