"""Crashes told to Sentry, or to what speaks its protocol, where SENTRY_DSN names one: which error, and where in the code.

What is sent is built from nothing rather than cleaned: no message, no locals, no request, no breadcrumb, no name of a machine.
"""

from typing import TYPE_CHECKING, Any

from lib import logs, settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event

FACTS = ("request_id", "page", "kind")
PLACES = ("filename", "function", "module", "lineno", "in_app")


def configure(**options: Any) -> None:
    """Nothing is imported without a DSN. `options`: further ones of sentry_sdk.init."""
    configured = settings.get()
    if configured.sentry_dsn is None:
        return logs.call_witness(None)
    import sentry_sdk
    from sentry_sdk.integrations.dedupe import DedupeIntegration

    sentry_sdk.init(configured.sentry_dsn.get_secret_value(), environment=configured.env, before_send=_bare,
                    default_integrations=False, auto_enabling_integrations=False, integrations=[DedupeIntegration()],
                    include_local_variables=False, include_source_context=False, max_request_body_size="never",
                    max_breadcrumbs=0, server_name="chairside", **options)
    logs.call_witness(lambda error: sentry_sdk.capture_exception(error))


def _bare(event: "Event", _hint: dict[str, Any]) -> "Event":
    """Only what is named here leaves, whatever a later version of the library adds. The request's id leads to the log."""
    crashes = event.get("exception", {}).get("values", [])
    return {"event_id": event["event_id"], "timestamp": event["timestamp"], "level": "error", "platform": "python",
            "environment": event["environment"], "tags": {name: logs.known(name) for name in FACTS if logs.known(name)},
            "exception": {"values": [{"type": crash.get("type"), "module": crash.get("module"),
                                      "stacktrace": {"frames": _places(crash)}} for crash in crashes]}}


def _places(crash: dict[str, Any]) -> list[dict[str, Any]]:
    frames = (crash.get("stacktrace") or {}).get("frames", [])
    return [{name: frame.get(name) for name in PLACES} for frame in frames]
