"""Sealed files: the same bytes back, or a sentence that says what is wrong."""

import os
import tracemalloc

import pytest
from cryptography.fernet import Fernet

from lib import sealed_file

KEY, OTHER = (Fernet.generate_key().decode() for _key in range(2))


def sealed(path, *pieces: bytes, key: str = KEY):
    with sealed_file.create(path, key) as file:
        for piece in pieces:
            file.write(piece)
    return path


def content(path, *keys: str) -> bytes:
    return b"".join(sealed_file.read(path, keys or (KEY,)))


@pytest.mark.parametrize("size", [0, 1, sealed_file.CHUNK - 1, sealed_file.CHUNK, sealed_file.CHUNK + 1, 3 * sealed_file.CHUNK])
def test_what_was_written_comes_back(tmp_path, size):
    data = os.urandom(size)  # does not shrink, so that chunks are cut where the sizes say
    assert content(sealed(tmp_path / "file", data[:size // 3], data[size // 3:])) == data


def test_it_is_unreadable_without_the_key_and_for_anybody_else(tmp_path):
    path = sealed(tmp_path / "file", b"Anna Example" * 100)
    assert b"Anna" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_a_wrong_key_is_named_as_such(tmp_path):
    path = sealed(tmp_path / "file", b"text")
    with pytest.raises(sealed_file.Damaged, match="encrypted with a key that is not in CHAIRSIDE_BACKUP_KEYS"):
        content(path, OTHER)
    assert content(path, OTHER, KEY) == b"text"


def test_a_flipped_bit_anywhere_is_found(tmp_path):
    """In every byte of a small file, and in 200 places of one of several chunks."""
    small = sealed(tmp_path / "small", b"a line\n" * 10)
    large = sealed(tmp_path / "large", os.urandom(2 * sealed_file.CHUNK + 99))
    for path, places in ((small, range(small.stat().st_size)),
                         (large, range(0, large.stat().st_size, large.stat().st_size // 200))):
        whole = path.read_bytes()
        for place in places:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
            with pytest.raises(sealed_file.Damaged, match="Nothing was restored"):
                content(path)


@pytest.mark.parametrize("left", [0, 10, 59, 60, 1000, sealed_file.CHUNK + sealed_file.HEADER + sealed_file.TAG, -1])
def test_a_truncated_file_is_found(tmp_path, left):
    path = sealed(tmp_path / "file", os.urandom(2 * sealed_file.CHUNK))
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(sealed_file.Damaged, match=r"cut off|no sealed file"):
        content(path)


def test_chunks_that_were_left_out_repeated_or_moved_are_found(tmp_path):
    path = sealed(tmp_path / "file", os.urandom(3 * sealed_file.CHUNK))
    whole, size = path.read_bytes(), sealed_file.CHUNK + sealed_file.TAG
    head, first, second = (whole[:sealed_file.HEADER], whole[sealed_file.HEADER:sealed_file.HEADER + size],
                           whole[sealed_file.HEADER + size:sealed_file.HEADER + 2 * size])
    rest = whole[sealed_file.HEADER + 2 * size:]
    for forged in (head + first + rest, head + first + first + second + rest, head + second + first + rest,
                   head + first + second + sealed_file.END):
        path.write_bytes(forged)
        with pytest.raises(sealed_file.Damaged, match="was changed"):
            content(path)


def test_a_large_file_takes_little_memory(tmp_path):
    """Also one that shrinks a thousandfold, as an idle server's log does."""
    tracemalloc.start()
    try:
        path = sealed(tmp_path / "file", *[bytes(1 << 20)] * 200)
        assert sum(len(piece) for piece in sealed_file.read(path, [KEY])) == 200 << 20
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
