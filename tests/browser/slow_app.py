"""The app with an assistant that takes its time, so that there is a middle of an answer: for uvicorn, as app.py is."""

import time
from collections.abc import Iterator

from app import app
from lib import ai

__all__ = ["app"]
PAUSE = 0.3
_answer = ai.answer


def slowly(request: ai.Request) -> Iterator[ai.Event]:
    for event in _answer(request):
        time.sleep(PAUSE)
        yield event


ai.answer = slowly
