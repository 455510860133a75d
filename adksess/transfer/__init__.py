"""Sessions on the move: backups, sessions of other tools, trimmed histories."""
