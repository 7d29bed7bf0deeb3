"""One signed request, within a deadline from the look-up of the name to the status line."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.webhooks.addresses import RefusedAddress, find_addresses
from orchestration.webhooks.endpoints import Endpoint

LONGEST_REASON = 300


@dataclass(frozen=True)
class Answer:
    """What a receiver said; without a status code it said nothing, and `reason` says why."""

    status_code: int | None
    reason: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more of it."""
        return self.status_code == http.client.GONE


def send(
    endpoint: Endpoint, signers: Sequence[Any], event_id: str, payload: str, sent_at: datetime
) -> Answer:
    """Post an event as Standard Webhooks has it. Raises nothing that a receiver can cause.

    Redirects are not followed and proxies of the environment not used.
    """
    seconds = int(sent_at.timestamp())
    signatures = [signer.sign(event_id, sent_at, payload) for signer in signers]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "tallyhouse",
        "Connection": "close",
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
    }
    deadline = Deadline(endpoint.timeout_seconds)
    try:
        return _post(endpoint, payload.encode(), headers, deadline)
    except RefusedAddress as refusal:
        return Answer(None, str(refusal))
    except TimeoutError:
        return Answer(None, f"no answer within {endpoint.timeout_seconds:g} s")
    except (OSError, http.client.HTTPException, ValueError) as fault:
        words = " ".join(str(fault).split()) or type(fault).__name__
        return Answer(None, f"{type(fault).__name__}: {words}"[:LONGEST_REASON])


class Deadline:
    """A point in time that nothing waits beyond."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds

    def left(self) -> float:
        """The seconds until then. Raises TimeoutError where there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _TimedSocket(io.RawIOBase):
    """A socket of which each step may take what is left of the whole, so that dripping is no way
    to keep it; as much of one as http.client asks for."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self.connection = connection
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        self.connection.settimeout(self.deadline.left())
        self.connection.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.connection.settimeout(self.deadline.left())
        return self.connection.recv_into(buffer)

    def close(self) -> None:
        self.connection.close()
        super().close()


def _post(endpoint: Endpoint, body: bytes, headers: dict[str, str], deadline: Deadline) -> Answer:
    request = http.client.HTTPConnection(endpoint.host, endpoint.port)
    request.default_port = 443 if endpoint.is_encrypted else 80
    connection = _connect(endpoint, deadline)
    try:
        # With a socket of its own http.client looks up and connects nothing.
        request.sock = _TimedSocket(connection, deadline)
        request.request("POST", endpoint.path, body, headers)
        status = request.getresponse().status
    finally:
        connection.close()
    if 300 <= status < 400:
        return Answer(status, f"HTTP {status}: redirects are not followed")
    return Answer(status, "" if 200 <= status < 300 else f"HTTP {status}")


def _connect(endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    """To the first address that takes it, each of them looked at before."""
    addresses = find_addresses(
        endpoint.host, endpoint.port, endpoint.may_be_private, deadline.left()
    )
    fault: OSError | None = None
    for family, address in addresses:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(deadline.left())
            connection.connect(address)
            if not endpoint.is_encrypted:
                return connection
            context = ssl.create_default_context()
            connection.settimeout(deadline.left())
            return context.wrap_socket(connection, server_hostname=endpoint.host)
        except OSError as error:
            connection.close()
            fault = error
    raise fault or OSError(f"{endpoint.host} has no address")
