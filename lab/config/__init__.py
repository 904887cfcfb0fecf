"""What lab.yml and the environment say, and the names that every package knows."""
