"""A real streaming replica of an embedded server, made by PostgreSQL's own programs."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from lib import embedded, programs


@dataclass
class Replica:
    primary: embedded.Server
    folder: Path

    @property
    def sockets(self) -> Path:
        return self.folder / "sockets"

    def url(self, role: str) -> str:
        return self.primary.url(role).replace(str(self.primary.sockets), str(self.sockets))

    def start(self) -> None:
        programs.run("pg_ctl", "start", "-w", "-D", str(self.folder / "cluster"), "-l", str(self.folder / "start.log"), "-o",
                     f"-c listen_addresses='' -c unix_socket_directories='{self.sockets}' -c max_connections=60")

    def stop(self) -> None:
        programs.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "cluster"), check=False)

    def promote(self) -> None:
        programs.run("pg_ctl", "promote", "-w", "-D", str(self.folder / "cluster"))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It answers, and replays nothing meanwhile."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as replica:
            replica.execute("select pg_wal_replay_pause()")
            try:
                yield
            finally:
                replica.execute("select pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Until it has replayed what the primary has written by now."""
        with psycopg.connect(self.primary.url("postgres"), autocommit=True) as primary, \
                psycopg.connect(self.url("postgres"), autocommit=True) as replica:
            [written] = primary.execute("select pg_current_wal_lsn()").fetchone()
            for _attempt in range(200):
                if replica.execute("select pg_last_wal_replay_lsn() >= %s::pg_lsn", [written]).fetchone() == (True,):
                    return
                time.sleep(0.05)
        raise AssertionError("the replica does not catch up")


@contextmanager
def streaming(primary: embedded.Server) -> Iterator[Replica]:
    replica = Replica(primary, primary.home / "replica")
    for folder in (replica.folder, replica.sockets):
        folder.mkdir(mode=0o700)
        shutil.chown(folder, primary.home.stat().st_uid, primary.home.stat().st_gid)
    source = f"host={primary.sockets} user=postgres password={(primary.data / 'postgres.password').read_text()}"
    try:
        programs.run("pg_basebackup", "-d", source, "-D", str(replica.folder / "cluster"), "-R", "-c", "fast", "-X", "stream")
        replica.start()
        yield replica
    finally:
        replica.stop()
        with suppress(FileNotFoundError):
            shutil.rmtree(replica.folder)
