"""Where this installation may call: public hosts over TLS, and those that its operator named. Asked anew for every call, and the
call then goes to the very address that was looked at, or a name could answer differently the second time."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from lib import settings
from lib.errors import Invalid
from lib.texts import _

# Ways to a private IPv4 address, site-local ones, segment routing, examples and a relay, all of which Python calls global.
NEVER = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96", "fec0::/10", "5f00::/16",
                               "3fff::/20", "192.88.99.0/24")))

LOOK_UP = 5.0  # seconds for a name to be found, of the fifteen in which an answer has to begin
LOOK_UPS = 32  # at once: twice what one clinic may have on its way (lib/workers.py)


@dataclass(frozen=True)
class Destination:
    """`url`: with the address in place of the name. `host`: the name, for the Host header; `name`: for the certificate."""

    url: str
    host: str
    name: str


def check(url: str, *, query: bool = False) -> None:
    """The part that needs no look-up. Raises Invalid with the sentence to show. `query`: it may have one."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise Invalid(_("This is no web address.")) from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or (parts.query and not query) or parts.fragment:
        raise Invalid(_("The address begins with https:// and has no user, query or fragment."))
    if parts.scheme == "http" and not _is_named(url):
        raise Invalid(_("Without TLS only hosts in AI_ALLOWED_HOSTS are called. Use https://, or ask whoever runs Chairside."))


async def resolve(url: str, *, query: bool = False) -> Destination:
    """Raises Invalid for a host that is neither public nor named, OSError where there is none."""
    check(url, query=query)
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    found = await _look_up(host, port)
    addresses = [str(entry[4][0]) for entry in found]
    if not _is_named(url) and not all(_is_public(address) for address in addresses):
        raise Invalid(_("{host} is not public. Whoever runs Chairside can allow it in AI_ALLOWED_HOSTS.").format(host=host))
    literal = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    return Destination(parts._replace(netloc=f"{literal}:{port}").geturl(), parts.netloc, host)


async def _look_up(host: str, port: int) -> list[tuple[Any, ...]]:
    """A name whose server is slow keeps one of these threads until the system gives up, and nobody else waiting."""
    asked = asyncio.get_running_loop().run_in_executor(_pool(), partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    try:
        return list(await asyncio.wait_for(asked, LOOK_UP))
    except TimeoutError:
        raise socket.gaierror(socket.EAI_AGAIN, "no answer in time") from None


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="names")


def _is_named(url: str) -> bool:
    """With its port, or for every port."""
    parts = urlsplit(url)
    return bool({parts.netloc.lower(), parts.hostname} & {name.lower() for name in settings.get().ai_allowed_hosts})


def _is_public(address: str) -> bool:
    """An IPv4 address inside an IPv6 one counts as what it is."""
    ip = ip_address(address.split("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    odd = any(ip in network for network in NEVER if network.version == ip.version)
    return ip.is_global and not ip.is_multicast and not odd and (mapped is None or mapped.is_global)
