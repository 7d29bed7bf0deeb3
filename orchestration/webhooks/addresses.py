"""Which addresses a request may go to: public ones, unless the host is allowed by name.

A name is looked up once, and the connection goes to the very address that was looked at: a second
look could answer another one.
"""

from __future__ import annotations

import queue
import socket
import threading
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

#: IPv4 addresses as an IPv6-only network has them.
NAT64 = IPv6Network("64:ff9b::/96")
GLOBAL_UNICAST = IPv6Network("2000::/3")


class RefusedAddress(Exception):
    """A host whose address is not for us to speak to."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the public internet, whatever it is wrapped in."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in GLOBAL_UNICAST or address.sixtofour is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def find_addresses(
    host: str, port: int, may_be_private: bool, timeout: float
) -> list[tuple[int, tuple]]:
    """(family, socket address) of a host, to be connected to without a further look.

    Raises RefusedAddress where any of them is not public, OSError where there is none.
    """
    found = []
    for family, _, _, _, address in _look_up(host, port, timeout):
        if family not in (socket.AF_INET, socket.AF_INET6):
            continue
        # A link-local address may name its interface.
        plain = ip_address(str(address[0]).partition("%")[0])
        if not may_be_private and not is_public(plain):
            raise RefusedAddress(
                f"refused: {host} is at {plain}, which is not public; name it under"
                " allow_private_hosts if it is meant"
            )
        found.append((family, address))
    if not found:
        raise OSError(f"{host} has no address")
    return found


def _look_up(host: str, port: int, timeout: float) -> list[tuple]:
    """getaddrinfo, which knows no deadline of its own."""
    answers: queue.SimpleQueue = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as fault:
            answers.put(fault)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=max(timeout, 0.001))
    except queue.Empty:
        raise TimeoutError(f"{host} was not found in time") from None
    if isinstance(answer, Exception):
        raise answer
    return answer
