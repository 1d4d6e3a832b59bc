"""Refuses the network to the Python process that calls it; it may import the standard library alone.

It is copied into environments of foreign code, where a test that calls AWS would otherwise wait for minutes,
or succeed today and fail tomorrow. It keeps nobody out who wants to get out: that is the empty role's part.
Addresses of the machine itself are let through. Source: Python documentation, "Audit events table".
"""

from __future__ import annotations

import sys
from typing import Any

REFUSED = "the sandbox has no network"
EVENTS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.sendto"})
refused: list[str] = []


def refuse() -> None:
    """From here on whatever leaves the machine is refused, at once; it cannot be taken back."""
    sys.addaudithook(_check)


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in EVENTS:
        return
    import socket

    is_lookup = event == "socket.getaddrinfo"
    host = arguments[0] if is_lookup else _host(arguments[1])
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if not isinstance(host, str) or _is_own(host, socket.gethostname()) or (is_lookup and _is_number(host)):
        return
    refused.append(host)
    if is_lookup:
        raise socket.gaierror(socket.EAI_NONAME, f"{REFUSED}, and {host} was looked up")
    raise ConnectionRefusedError(f"{REFUSED}, and {host} was called")


def _host(address: object) -> object:
    """The host of an address; None of one that is no internet address."""
    return address[0] if isinstance(address, tuple) and address else None


def _is_number(host: str) -> bool:
    """Whether nobody has to be asked for the address; it is refused when it is called."""
    import ipaddress

    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_own(host: str, own: str) -> bool:
    if host in {"", "localhost", "0.0.0.0", "::", own} or host.endswith(".localhost"):  # noqa: S104 (compared)
        return True
    return host.startswith("127.") or host in {"::1", "::ffff:127.0.0.1"}
