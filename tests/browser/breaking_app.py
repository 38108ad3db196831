"""The app with places that break, each with a value among its words: for uvicorn, as app.py is."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from app import app
from lib import ai, patient_export, patients, workflows

__all__ = ["app"]


class Broken(Exception):
    """Carries what its place was given, as a driver's or a parser's would."""


def break_at(module: ModuleType, name: str, word: str, how: Callable[..., Any]) -> None:
    """Where that word is among the arguments."""
    whole = getattr(module, name)

    def broken(*args: Any, **given: Any) -> Any:
        instead = how(*args, **given) if word in f"{args} {given}" else None
        return instead or whole(*args, **given)
    setattr(module, name, broken)


def fail(*args: Any, **given: Any) -> None:
    raise Broken(f"{args} {given}")


def fail_on_the_way(*args: Any, **given: Any) -> Iterator[Any]:
    yield fail(*args, **given)


def fail_in_a_thread(*args: Any, **given: Any) -> None:
    threading.Thread(target=fail, args=args, kwargs=given).start()


def fail_in_a_task(*args: Any, **given: Any) -> None:
    async def begin() -> None:
        task = asyncio.create_task(fail_later(*args, **given))
        await asyncio.sleep(0.01)
        del task
    asyncio.run(begin())


async def fail_later(*args: Any, **given: Any) -> None:
    fail(*args, **given)


def fail_in_the_database(scope: Any, **given: Any) -> None:
    """As a driver's error: PostgreSQL repeats the value."""
    scope.value("select cast(:term as uuid)", term=given["term"])


def fail_at_a_constraint(scope: Any, **given: Any) -> None:
    """PostgreSQL adds the whole row as a detail."""
    scope.run("""
        insert into patients (clinic_id, user_id, changed_by, full_name, deceased, date_of_birth, deceased_on)
        values (:clinic_id, :me, :me, :name, true, '2001-01-01', '2000-01-01')
        """, me=scope.identity.user_id, name=given["term"])


break_at(patients, "find", "break the page", fail)
break_at(patients, "find", "break the database", fail_in_the_database)
break_at(patients, "find", "break the row", fail_at_a_constraint)
break_at(patients, "find", "break a task", fail_in_a_task)
break_at(workflows, "ask", "break the callback", fail)
break_at(workflows, "ask", "break a thread", fail_in_a_thread)
break_at(ai, "answer", "break the answer", fail_on_the_way)
break_at(patient_export, "export", "break the route", fail)
