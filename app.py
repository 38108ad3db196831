"""Chairside: `streamlit run app.py`."""

import gc

gc.disable()  # importing makes what lives for ever; collecting in between cost a quarter of a second of every start

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from api.doorman import Doorman
from lib import auth, logs, rate_limits, startup, workflows
from lib.errors import SetUpError
from ui.failure import report

WARM = ("ui.figures", "ui.conversation", "ui.import_steps", "ui.patient_card", "lib.analytics", "lib.patient_export")


def open_house() -> None:
    """What the first page needs: the database, and the sign-in form's imports while that starts."""
    form = threading.Thread(target=import_module, args=("ui.frame",))
    form.start()
    startup.start()
    form.join()
    gc.freeze()
    gc.enable()


@cache
def routes() -> ASGIApp:
    """What answers under /api. The first page asks nothing there, so the warm-up or the first call imports it."""
    app: ASGIApp = import_module("api.main").make()
    return app


async def api(scope: Scope, receive: Receive, send: Send) -> None:
    await (await run_in_threadpool(routes))(scope, receive, send)


async def warm() -> None:
    """While the first visitor still types: what the other screens import, and the hash that strangers are checked against.

    Then everything alive is frozen: it lives for ever, and no garbage collection needs to walk it again.
    """
    await asyncio.sleep(3)
    await run_in_threadpool(routes)
    for module in WARM:
        await run_in_threadpool(import_module, module)
    await run_in_threadpool(auth.find_account, "")
    await run_in_threadpool(rate_limits.ready)
    gc.freeze()


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
        await run_in_threadpool(workflows.shutdown)  # running answers are saved while there is a database
        await run_in_threadpool(startup.stop)


logs.configure()
app = st.App("ui/main.py", routes=[Mount("/api", app=api)], middleware=[Middleware(Doorman)], lifespan=lifespan,
             on_script_error=report)

if __name__ == "__main__":
    app.run()
