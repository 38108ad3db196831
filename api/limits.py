"""How large a request may be, by its path."""

from starlette.datastructures import Headers

from lib import tables

MOST_BYTES = 64 * 1024
MOST_BYTES_OF_A_CHAT = 2 * 1024 * 1024  # a long history, escaped
MOST_BYTES_OF_A_FILE = tables.LARGEST


def most_bytes(path: str) -> int:
    if path == "/generate" or path.startswith("/api/chat/"):
        return MOST_BYTES_OF_A_CHAT
    return MOST_BYTES_OF_A_FILE if path == "/api/v1/patients/import" else MOST_BYTES


def is_small(path: str, headers: Headers) -> bool:
    """Before anything is read. A body that does not tell its length is measured while it comes."""
    length = headers.get("content-length", "0")
    return length.isdecimal() and int(length) <= most_bytes(path)
