"""What `manage.py initialize` does: it observes, changes what differs, and says which it was."""
