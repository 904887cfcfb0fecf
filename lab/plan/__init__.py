"""What should run on each node, as records. Pure: nothing here runs anything."""
