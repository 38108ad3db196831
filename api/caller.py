"""Who is calling, and whom they mean to call: the client's address and the Host header, each by one rule."""

import re
from ipaddress import IPv6Address, ip_address

import uvicorn.config
from starlette.datastructures import Headers
from starlette.types import Scope

from lib import settings

# uvicorn believes X-Forwarded-For from this machine before any app has seen the peer, and Streamlit offers no switch for it.
# It looks this name up after it has imported the app, so leaving the app unwrapped holds for every way to start it.
uvicorn.config.ProxyHeadersMiddleware = lambda app, trusted_hosts: app  # type: ignore[attr-defined, assignment, misc]

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
FORWARDING = re.compile(rb"forwarded|x-real-ip|x-forwarded-.*", re.IGNORECASE)


def means_us(headers: Headers) -> bool:
    """Exactly one Host header, and it names a host of ours. The port is not looked at."""
    hosts = headers.getlist("host")
    found = HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
    return found is not None and found[1] in settings.get().host_names


def introduce(scope: Scope) -> Scope:
    """With the client's own address, and without the headers that claim one: nothing further in can believe them."""
    headers = [pair for pair in scope["headers"] if not FORWARDING.fullmatch(pair[0])]
    return {**scope, "headers": headers, "client": _client(scope)}


def _client(scope: Scope) -> tuple[str, int] | None:
    """The right-most hop that is no trusted proxy; without a trusted peer, the peer."""
    if not scope.get("client"):
        return None
    peer, port = scope["client"]
    address = _plain(peer) or peer
    for hop in reversed(",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")):
        claimed = _plain(hop.strip())
        if claimed is None or not _is_trusted(address):
            break
        address, port = claimed, 0
    return address, port


def _plain(text: str) -> str | None:
    """An address without the port or brackets that some proxies write; None for anything else."""
    bare = re.fullmatch(r"\[([^]]+)\](?::\d+)?|([\d.]+):\d+", text)
    try:
        ip = ip_address((bare[1] or bare[2]) if bare else text)
    except ValueError:
        return None
    return str((isinstance(ip, IPv6Address) and ip.ipv4_mapped) or ip)


def _is_trusted(address: str) -> bool:
    try:
        return any(ip_address(address) in network for network in settings.get().trusted_proxies)
    except ValueError:
        return False
