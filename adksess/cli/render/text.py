"""Small words that several commands say."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 session`, `2,000 sessions`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
