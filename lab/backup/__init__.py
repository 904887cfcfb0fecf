"""What a backup is: its files, its manifest, and what is compared. No SSH here."""
