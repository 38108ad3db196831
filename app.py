"""Chairside: `streamlit run app.py`."""

import gc
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.routing import Mount

from api.doorman import Doorman
from api.main import make
from lib import auth, logs, startup, workflows
from lib.errors import SetUpError
from ui.failure import report

WARM = ("ui.frame", "ui.figures", "ui.conversation", "ui.import_steps", "ui.patient_card", "lib.analytics", "lib.patient_export")


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    try:
        await run_in_threadpool(startup.start)
    except SetUpError as error:
        logging.getLogger("uvicorn.error").disabled = True  # it would bury the sentence under a traceback
        sys.stderr.write(f"\n  {error}\n\n")
        raise
    await run_in_threadpool(auth.find_account, "")  # makes the stand-in's hash, or the first stranger would wait twice as long
    for module in WARM:  # imported now, or the first visitor waits for them
        import_module(module)
    gc.freeze()  # what start-up made lives for ever: no collection needs to walk it again
    try:
        yield
    finally:
        await run_in_threadpool(workflows.shutdown)  # running answers are saved while there is a database
        await run_in_threadpool(startup.stop)


logs.configure()
app = st.App("ui/main.py", routes=[Mount("/api", app=make())], middleware=[Middleware(Doorman)], lifespan=lifespan,
             on_script_error=report)

if __name__ == "__main__":
    app.run()
