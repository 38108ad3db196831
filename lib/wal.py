"""The embedded server's write-ahead log, kept so that any moment of the last week can come back: a copy of the whole cluster
once a day, and every piece of the log since, sealed and carried to the folder of backups within three minutes."""

import fcntl
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count, takewhile
from pathlib import Path

import psycopg

from lib import embedded, programs, sealed_file, settings
from lib.errors import SetUpError

NAME = "cluster-%Y%m%dT%H%M%SZ.backup"
SEGMENT = re.compile(r"[0-9A-F]{24}")
SUFFIX = ".sealed"
TIMELINE = re.compile(r"^(\d+)\t([0-9A-F]+)/([0-9A-F]+)\t", re.MULTILINE)  # a line of PostgreSQL's *.history
ENDED = re.compile(r"desc: (?:COMMIT|ABORT)\S* (\S+ [0-9:.]+) UTC")  # of pg_waldump
LAST = re.compile(r"last completed transaction was at log time (\S+ \S+)")


# keeping -------------------------------------------------------------------------------------------------------------


def is_archiving(server: embedded.Server) -> bool:
    """Not where the running server was started before CHAIRSIDE_BACKUP_KEYS was given."""
    with psycopg.connect(server.url("postgres")) as connection:
        return connection.execute("show archive_mode").fetchone() == ("on",)


def ship(server: embedded.Server) -> int:
    """Seals what the server left in its folder since, oldest first; one process at a time. How many pieces."""
    waiting = sorted(path for path in server.archive.glob("*") if path.suffix not in (".part", ".lock"))
    if not waiting:
        return 0
    folder = settings.get().backups / "wal" / _system(server.cluster)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (server.archive / "ship.lock").open("a") as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in waiting:
            if path.exists():
                _carry(path, folder)
        return len(waiting)
    return 0


def _system(cluster: Path) -> str:
    """PostgreSQL's own number of it. Every new cluster counts its pieces from 1, also one on which a backup was restored."""
    return str(int.from_bytes((cluster / "global" / "pg_control").read_bytes()[:8], sys.byteorder))


def _carry(path: Path, folder: Path) -> None:
    draft, kept = folder / f"{path.name}.part", folder / f"{path.name}{SUFFIX}"
    with path.open("rb") as piece, sealed_file.create(draft, settings.get().backup_key_list[0]) as file:
        shutil.copyfileobj(piece, file, sealed_file.CHUNK)
    draft.rename(kept)
    path.unlink()


def copy_cluster(server: embedded.Server, folder: Path, key: str) -> Path:
    """Named by the moment it was done: the log leads from there to every later one. Read back and compared with its manifest."""
    draft = folder / "cluster.part"
    with (embedded.reading(server, "pg_basebackup", "-D", "-", "-F", "tar", "-X", "none", "-c", "fast",
                           "--manifest-checksums=SHA256") as copy,
          sealed_file.create(draft, key) as file):
        shutil.copyfileobj(copy, file, sealed_file.CHUNK)
    check_cluster(sealed_file.read(draft, [key]))
    return draft.rename(folder / datetime.now(UTC).strftime(NAME))


def check_cluster(pieces: Iterator[bytes]) -> None:
    """Every file as PostgreSQL's own manifest, which comes last, says. (Its pg_verifybackup crashes in the wheel.)"""
    found, manifest = {}, b"{}"
    with tarfile.open(fileobj=_Stream(pieces), mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if member.name == "backup_manifest" and content:
                manifest = content.read()
            elif content:
                found[member.name] = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    wanted = {file["Path"]: file["Checksum"] for file in json.loads(manifest).get("Files", [])}
    if not wanted or any(found.get(path) != checksum for path, checksum in wanted.items()):
        raise SetUpError("The copy of the cluster is not what its manifest says.")


class _Stream(io.RawIOBase):
    """Pieces as a file that is read once, from its beginning to its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held, self._at = pieces, b"", 0

    def read(self, size: int = -1) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            if self._at == len(self._held):
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._held, self._at = piece, 0
            part = self._held[self._at:self._at + size - len(taken)]
            taken += part
            self._at += len(part)
        return bytes(taken)


def forget_old(folder: Path, before: datetime) -> None:
    """The copies made earlier, but the newest, and the log that leads from none of the others."""
    found = sorted(folder.glob("cluster-*.backup"))
    for path in found[:-1]:
        if _moment(path) < before:
            path.unlink()
            found.remove(path)
    if found:
        needed = found[0].stat().st_mtime - timedelta(days=1).total_seconds()  # the copy itself took a while
        for path in folder.glob(f"wal/*/*{SUFFIX}"):
            if path.stat().st_mtime < needed:
                path.unlink()


def _moment(path: Path) -> datetime:
    return datetime.strptime(path.name, NAME).replace(tzinfo=UTC)


# bringing back -------------------------------------------------------------------------------------------------------


def recover(folder: Path, data: Path, until: datetime | None) -> datetime:
    """The cluster as it was at that moment, in a data folder that has none; None: at the end of what was kept. Every file is
    read to its end before PostgreSQL sees any. Returns when the copy was made that it went on from."""
    start = _find_copy(folder, until or datetime.now(UTC))
    target = f" -c recovery_target_time='{until:%Y-%m-%d %H:%M:%S.%f%z}' -c recovery_target_action=promote" if until else ""
    def fill(cluster: Path, log: Path) -> None:
        first = _unpack(start, folder / "wal", cluster, log)
        _check_log(folder, cluster, log, first, until)
    embedded.adopt(data, fill, f"-c restore_command='cp ../wal-back/%f %p'{target}")
    return _moment(start)


def clusters(folder: Path) -> int:
    """How many have left their log there. More than one where Chairside was started anew on an empty folder."""
    return len({path.parent for path in folder.glob(f"wal/*/*{SUFFIX}")})


def reached(cluster: Path) -> datetime | None:
    """When the last transaction ended that `recover` brought back; None: the log held none."""
    told: list[str] = LAST.findall((cluster / "start.log").read_text(errors="replace"))
    return datetime.fromisoformat(told[-1]) if told else None


def _copies(folder: Path, until: datetime) -> list[Path]:
    return [path for path in sorted(folder.glob("cluster-*.backup")) if _moment(path) <= until]


def _find_copy(folder: Path, until: datetime) -> Path:
    found = _copies(folder, until)
    if not found:
        raise SetUpError(f"{folder} holds no copy of the cluster from before {until:%Y-%m-%d %H:%M:%S %Z}. `make restore` "
                         "without UNTIL brings the newest daily backup back.")
    return found[-1]


def _unpack(start: Path, sealed: Path, cluster: Path, log: Path) -> str:
    """The piece of the log with which the copy begins."""
    keys = settings.get().backup_key_list
    check_cluster(sealed_file.read(start, keys))
    for folder in (cluster, log):
        folder.mkdir(mode=0o700)
    with tarfile.open(fileobj=_Stream(sealed_file.read(start, keys)), mode="r|") as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python before 3.11.4 has none; the copy was checked above
        tar.extractall(cluster)  # noqa: S202 - see above
    (cluster / "recovery.signal").touch()
    first = SEGMENT.search((cluster / "backup_label").read_text().split("(file ", 1)[1])
    assert first
    for path in sorted((sealed / _system(cluster)).glob(f"*{SUFFIX}")):
        name = path.name.removesuffix(SUFFIX)
        if not SEGMENT.fullmatch(name) or name[8:] >= first[0][8:]:  # a later timeline's begin with another number
            with (log / name).open("wb") as file:
                file.writelines(sealed_file.read(path, keys))
    return first[0]


def _check_log(folder: Path, cluster: Path, log: Path, first: str, until: datetime | None) -> None:
    """PostgreSQL takes a piece that is missing for the end of the log, and says nothing of those behind it."""
    sealed, timelines = folder / "wal" / _system(cluster), _timelines(log, first)
    pieces = {_number(path.name): path for path in sealed.glob(f"*{SUFFIX}") if SEGMENT.fullmatch(path.name.removesuffix(SUFFIX))
              and path.name[:8] == _timeline(timelines, _number(path.name))}
    gap = next(number for number in count(_number(first)) if number not in pieces)
    if max(pieces, default=0) < gap:
        return
    before = [pieces[number] for number in takewhile(pieces.__contains__, count(gap - 1, -1))]
    latest = _latest(before, log)
    if not latest or not until or until > latest:
        name = f"{_timeline(timelines, gap)}{gap >> 8:08X}{gap & 0xFF:08X}{SUFFIX}"
        raise SetUpError(f"{sealed / name} is missing, a piece of the write-ahead log with others behind it. Nothing was "
                         f"restored. {_way_out(folder, latest)}")


def _timelines(log: Path, first: str) -> list[tuple[int, str]]:
    """From which piece on which timeline counts; PostgreSQL follows the newest. A restored cluster begins one of its own."""
    newest = max([first[:8], *(path.stem for path in log.glob("*.history"))])
    history = log / f"{newest}.history"
    begins, timelines = 0, []
    for name, high, low in TIMELINE.findall(history.read_text()) if history.exists() else []:
        timelines.append((begins, f"{int(name):08X}"))
        begins = (int(high, 16) << 8) + (int(low, 16) >> 24)
    return [*timelines, (begins, newest)]


def _timeline(timelines: list[tuple[int, str]], number: int) -> str:
    return [name for begins, name in timelines if begins <= number][-1]


def _number(name: str) -> int:
    """Of a piece of 16 MB, counted through."""
    return (int(name[8:16], 16) << 8) + int(name[16:24], 16)


def _latest(sealed: list[Path], log: Path) -> datetime | None:
    """The latest moment that these pieces, newest first, lead to: PostgreSQL stops only before what ended after a moment."""
    keys = settings.get().backup_key_list
    for path in sealed:
        piece = log / path.name.removesuffix(SUFFIX)
        with piece.open("wb") as file:
            file.writelines(sealed_file.read(path, keys))
        if ended := ENDED.findall(_transactions(piece)):
            return datetime.fromisoformat(max(ended)).replace(tzinfo=UTC) - timedelta(microseconds=1)
    return None


def _transactions(piece: Path) -> str:
    """As pg_waldump tells them. It may fail at the end, where a record goes on in the next piece."""
    return subprocess.run([programs.binaries() / "pg_waldump", "-r", "Transaction", piece, piece], capture_output=True, text=True,
                          env={"LC_ALL": "C.UTF-8", "TZ": "UTC"}).stdout


def _way_out(folder: Path, latest: datetime | None) -> str:
    if latest and _copies(folder, latest):
        return f"UNTIL={latest:%Y-%m-%dT%H:%M:%S.%fZ} is the latest moment before it."
    return "`make restore` without UNTIL brings the newest daily backup back."
