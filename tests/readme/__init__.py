"""The README kept true: its console blocks and pictures come from real runs."""
