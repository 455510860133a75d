"""The `adksess` command: one module per command, wired in app.py."""
