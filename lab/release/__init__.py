"""Images and their tags, and the named sets of them that go live together."""
