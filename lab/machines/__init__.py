"""The machines that the nodes are: whose they are, and what they were made with."""
