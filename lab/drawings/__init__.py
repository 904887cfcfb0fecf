"""Pictures of the lab, from its plans and from what was measured."""
