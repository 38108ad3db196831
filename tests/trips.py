"""What goes over the wire to the database, as libpq itself writes it down."""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.pq import Trace
from sqlalchemy import event

from lib import db

OF_THE_HOUSE = {"housekeeper", "archivist"}


@dataclass
class Wire:
    """`trips`: how often something was sent and then waited for. `statements`: BEGIN and COMMIT among them."""

    statements: int = 0
    trips: int = 0


@contextmanager
def counted() -> Iterator[Wire]:
    """Of every connection that is lent meanwhile, but to the threads that keep the house. Complete when the `with` ends."""
    wire = Wire()
    with tempfile.TemporaryFile() as written:
        def lend(driver: psycopg.Connection, *_more: object) -> None:
            if threading.current_thread().name not in OF_THE_HOUSE:
                driver.pgconn.trace(written.fileno())
                driver.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)

        def take_back(driver: psycopg.Connection, *_more: object) -> None:
            driver.pgconn.untrace()
        event.listen(db._engine, "checkout", lend)
        event.listen(db._engine, "checkin", take_back)
        try:
            yield wire
        finally:
            event.remove(db._engine, "checkout", lend)
            event.remove(db._engine, "checkin", take_back)
        _read(os.pread(written.fileno(), 10_000_000, 0).decode(), wire)


def _read(text: str, wire: Wire) -> None:
    before = "B"
    for line in text.splitlines():
        side, _length, kind = [*line.split("\t"), "", ""][:3]
        wire.statements += side == "F" and kind in ("Parse", "Query")
        wire.trips += side == "F" and before == "B"
        before = side
