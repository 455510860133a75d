"""What sessions say: events, titles, status, search, transcripts."""
