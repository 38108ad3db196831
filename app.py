"""Chairside: `streamlit run app.py`."""

import gc

gc.disable()  # importing makes what lives for ever; collecting in between cost a quarter of a second of every start

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.doorman import Doorman
from lib import auth, crash_reports, logs, rate_limits, startup, workers
from lib.errors import SetUpError
from ui import runs  # noqa: F401 - measures every run from here on
from ui.failure import report

WARM = ("ui.figures", "ui.conversation", "ui.running_answer", "ui.import_steps", "ui.patient_card", "lib.analytics",
        "lib.patient_export")


def open_house() -> None:
    """What the first page needs: the database, and the sign-in form's imports while that starts."""
    crash_reports.configure()
    form = threading.Thread(target=import_module, args=("ui.frame",))
    form.start()
    startup.start()
    form.join()
    gc.freeze()
    gc.enable()


class Later:
    """Routes whose module the warm-up or their first call imports: the first page asks nothing of them."""

    app: ASGIApp | None = None

    def __init__(self, module: str) -> None:
        self.module = module
        self.lock = threading.Lock()

    def load(self) -> ASGIApp:
        with self.lock:
            if self.app is None:
                self.app = import_module(self.module).make()
            return self.app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.app or await run_in_threadpool(self.load))(scope, receive, send)


api, assistant, metrics = Later("api.main"), Later("api.assistant"), Later("api.metrics")


def stop_worker() -> None:
    """If it came to one: jobs begin to be done when the house has been open for a moment."""
    if "lib.worker" in sys.modules:
        sys.modules["lib.worker"].stop()


async def warm() -> None:
    """While the first visitor still types: what the other screens import, and the hash that strangers are checked against.

    Then everything alive is frozen: it lives for ever, and no garbage collection needs to walk it again.
    """
    await asyncio.sleep(3)
    for routes in (api, assistant, metrics):
        await run_in_threadpool(routes.load)
    for module in WARM:
        await run_in_threadpool(import_module, module)
    await run_in_threadpool(auth.find_account, "")
    await run_in_threadpool(rate_limits.ready)
    worker = await run_in_threadpool(import_module, "lib.worker")
    gc.freeze()
    await run_in_threadpool(worker.start)


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    try:
        await run_in_threadpool(open_house)
    except SetUpError as error:
        logging.getLogger("uvicorn.error").disabled = True  # it would bury the sentence under a traceback
        sys.stderr.write(f"\n  {error}\n\n")
        raise
    warming = asyncio.create_task(warm())
    try:
        yield
    finally:
        warming.cancel()
        await run_in_threadpool(workers.shutdown)  # running answers are saved while there is a database
        await run_in_threadpool(stop_worker)
        await run_in_threadpool(startup.stop)


logs.configure()
app = st.App("ui/main.py",
             routes=[Route("/health", assistant), Route("/generate", assistant), Route("/api/chat/{rest:path}", assistant),
                     Route("/metrics", metrics),
                     Mount("/api", app=api)],
             middleware=[Middleware(Doorman)], lifespan=lifespan, on_script_error=report)

if __name__ == "__main__":
    app.run()
