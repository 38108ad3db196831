"""Files that nobody reads or changes without the key: compressed, encrypted in chunks, read and written as streams.

Layout: MAGIC, the key's mark, a salt; chunks of AES-256-GCM under a key of the file's own, each numbered in its nonce and the
last one marked there, so that none can be changed, moved, repeated or left out; END.
"""

import base64
import hashlib
import os
import secrets
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lib.errors import SetUpError

MAGIC, END = b"chairside sealed 1\n", b"\nsealed whole\n"
MARK, SALT, TAG = 8, 32, 16
HEADER = len(MAGIC) + MARK + SALT
CHUNK = 1 << 20


class Damaged(SetUpError):
    """This file is not what was written. Nothing was restored. Take another copy of it, or an older one."""

    def __init__(self, found: str, advice: str = "") -> None:
        """`found`: what is wrong, for whoever reads a file to do something else than to restore it."""
        super().__init__(f"{found} Nothing was restored.{advice}")
        self.found = found


class Writer:
    """Takes any amount of bytes; holds one chunk of them."""

    def __init__(self, file: BinaryIO, key: str) -> None:
        self._file = file
        self._header = MAGIC + _mark(key) + secrets.token_bytes(SALT)
        self._cipher = _cipher(key, self._header)
        self._zip = zlib.compressobj(1, wbits=31)
        self._held = bytearray()
        self._number = 0
        file.write(self._header)

    def write(self, data: bytes) -> None:
        self._hold(self._zip.compress(data))

    def close(self) -> None:
        self._hold(self._zip.flush())
        self._emit(bytes(self._held), last=True)
        self._file.write(END)

    def _hold(self, data: bytes) -> None:
        self._held += data
        while len(self._held) > CHUNK:
            self._emit(bytes(self._held[:CHUNK]), last=False)
            del self._held[:CHUNK]

    def _emit(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last), chunk, self._header))
        self._number += 1


@contextmanager
def create(path: Path, key: str) -> Iterator[Writer]:
    """On the disk when the `with` ends. `key`: as `make key` prints it. For its owner's eyes only."""
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        writer = Writer(file, key)
        yield writer
        writer.close()
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, keys: Sequence[str]) -> Iterator[bytes]:
    """What was written, in pieces of a megabyte at most. Raises Damaged at the first chunk that is not what was written."""
    unzip = zlib.decompressobj(wbits=31)
    for chunk in _chunks(path, keys):
        rest = chunk
        while rest:
            yield unzip.decompress(rest, CHUNK)
            rest = unzip.unconsumed_tail
    yield unzip.flush()


def _chunks(path: Path, keys: Sequence[str]) -> Iterator[bytes]:
    with path.open("rb") as file:
        header = file.read(HEADER)
        cipher = _cipher(_find_key(path, header, keys), header)
        left = _check_end(path, file) - HEADER
        file.seek(HEADER)
        number = 0
        while left > 0 or not number:
            sealed = file.read(min(CHUNK + TAG, left))
            left -= len(sealed)
            yield _unseal(path, cipher, sealed, header, number, last=left <= 0)
            number += 1


def _unseal(path: Path, cipher: AESGCM, sealed: bytes, header: bytes, number: int, *, last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(number, last), sealed, header)
    except (InvalidTag, ValueError):  # ValueError: shorter than a tag
        raise Damaged(f"{path} was changed after it was written, in the megabyte from byte {HEADER + number * (CHUNK + TAG):,}.",
                      " Take another copy of it, or an older one.") from None


def _find_key(path: Path, header: bytes, keys: Sequence[str]) -> str:
    if not header.startswith(MAGIC) or len(header) < HEADER:
        raise Damaged(f"{path} is no sealed file of Chairside's, or its beginning was changed.")
    mark = header[len(MAGIC):len(MAGIC) + MARK]
    for key in keys:
        if _mark(key) == mark:
            return key
    raise Damaged(f"{path} was encrypted with a key that is not in CHAIRSIDE_BACKUP_KEYS (backups) or CHAIRSIDE_ENCRYPTION_KEYS "
                  f"(archives): one whose SHA-256 begins with {mark.hex()}.")


def _check_end(path: Path, file: BinaryIO) -> int:
    """Where the last chunk ends."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - len(END), 0))
    if file.read() != END:
        raise Damaged(f"{path} was cut off: its end is missing.", " Copy it again, or take an older one.")
    return size - len(END)


def _mark(key: str) -> bytes:
    """Tells keys apart and says nothing of them."""
    return hashlib.sha256(_raw(key)).digest()[:MARK]


def _raw(key: str) -> bytes:
    return base64.urlsafe_b64decode(key)


def _cipher(key: str, header: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=header[-SALT:], info=MAGIC).derive(_raw(key)))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
