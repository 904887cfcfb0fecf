"""What the tasks do. The thin layer that acts: everything that decides is elsewhere in lab/."""
