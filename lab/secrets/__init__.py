"""The lab's secrets, its certificate authority, and files that only their owner may read."""
