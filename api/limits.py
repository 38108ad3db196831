"""How large a request may be, by its path."""

MOST_BYTES = 64 * 1024
MOST_BYTES_OF_A_CHAT = 2 * 1024 * 1024  # a long history, escaped


def is_chat(path: str) -> bool:
    return path == "/generate" or path.startswith("/api/chat/")
