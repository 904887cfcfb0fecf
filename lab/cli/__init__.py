"""The tasks as they are typed: arguments, flags, and what the user is told at the end."""
