"""Boots, provisions and removes the machines, by Vagrant."""
