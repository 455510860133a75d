"""Export, import, migration and trimming of sessions."""
