"""The folders and files that several packages know by name, here and on the nodes."""

from pathlib import Path

# The project's.
FOLDER = Path(__file__).resolve().parents[2]
SSH_CONFIG = FOLDER / ".lab" / "ssh_config"
REPORTS = FOLDER / ".lab" / "reports"
# What `fab bundle --load` brought in. Not below .lab: the next lab of this folder needs it, too.
LOADED = FOLDER / ".offline"

# On the builder: the backup that is being restored, until all of it is there.
RESTORING = "/var/lib/lab/restoring"
