"""Read conversations: history rules, event texts, titles, status, search, transcripts."""
