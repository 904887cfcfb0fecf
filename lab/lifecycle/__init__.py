"""The machines come and go: booted, provisioned and removed, by Vagrant."""
