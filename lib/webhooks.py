"""Alerts to an address of the operator's: signed, within seconds, to public hosts or named ones, and never where it redirects."""

import asyncio
import hashlib
import hmac
import json
import ssl
import time
from functools import cache
from typing import Any

import httpx

from lib import addresses, quarantine, settings
from lib.errors import Invalid, Undelivered

DEADLINE = 10.0  # seconds in all


def is_on() -> bool:
    return settings.get().alert_webhook is not None and not quarantine.is_on()


def post(body: dict[str, Any]) -> None:
    """A job's work. Raises Undelivered, and the job tries again later."""
    if quarantine.is_on():
        raise Undelivered(reason="this restored copy is not released")
    try:
        status = asyncio.run(_send(json.dumps(body).encode()))
    except TimeoutError:
        raise Undelivered(reason=f"no answer within {DEADLINE:.0f} seconds") from None
    except Invalid as error:  # names the host, which is the operator's own setting
        raise Undelivered(reason=str(error)) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise Undelivered(reason=type(error).__name__) from None  # its words may hold the address, which may be a secret
    if not 200 <= status < 300:
        raise Undelivered(reason=f"HTTP {status}")


async def _send(body: bytes) -> int:
    """The status alone: what is said beside it is not read."""
    configured = settings.get()
    assert configured.alert_webhook
    async with asyncio.timeout(DEADLINE):
        destination = await addresses.resolve(configured.alert_webhook.get_secret_value(), query=True)
        async with httpx.AsyncClient(verify=_tls(), timeout=DEADLINE, trust_env=False, follow_redirects=False) as client:
            request = client.build_request(
                "POST", destination.url, content=body, extensions={"sni_hostname": destination.name},
                headers={"Host": destination.host, "Content-Type": "application/json",
                         "X-Chairside-Signature": sign(body, int(time.time()))})
            response = await client.send(request, stream=True)
            await response.aclose()
            return response.status_code


def sign(body: bytes, at: int) -> str:
    """`t`: seconds since 1970, so that an old message can be told from a new one; `v1`: HMAC-SHA256 of "t.body" by
    CHAIRSIDE_ALERT_SECRET."""
    secret = settings.get().alert_secret
    assert secret
    digest = hmac.new(secret.get_secret_value().encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
