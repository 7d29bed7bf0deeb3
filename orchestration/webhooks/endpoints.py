"""Who is told: endpoints from one YAML file, secrets from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestration.errors import UserError
from orchestration.webhooks.addresses import is_public

FILE = "webhooks.yml"
VARIABLE = "TALLY_WEBHOOKS"
EVENT_TYPES = (
    "invoice.created", "invoice.finalized", "invoice.adjusted",
    "usage.threshold", "credit.low", "credit.exhausted",
)  # fmt: skip
KEYS = ("url", "secret_env", "since", "events", "timeout_seconds")
REQUIRED = ("url", "secret_env", "since")
ALLOWED = "allow_private_hosts"
LONGEST_TIMEOUT = 60


@dataclass(frozen=True)
class Endpoint:
    """One receiver. Events that occurred before `since` are not sent to it.

    `may_be_private` where the file allows its host by name: it may then have a private address,
    and be spoken to without TLS.
    """

    name: str
    url: str
    host: str
    port: int
    secret_env: str
    since: datetime
    event_types: tuple[str, ...] = EVENT_TYPES
    timeout_seconds: float = 10
    may_be_private: bool = False

    @property
    def is_encrypted(self) -> bool:
        return self.url.startswith("https:")

    @property
    def path(self) -> str:
        """What the request line names."""
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def signers(self, variables: Mapping[str, str] = os.environ) -> list[Any]:
        """One `Webhook` of the library for each secret of the environment variable.

        Several, separated by spaces, while a secret is being changed: each signs. Raises UserError
        where there is none, or one that is none.
        """
        from standardwebhooks.webhooks import Webhook

        place = f"endpoint {self.name}: {self.secret_env}"
        secrets = variables.get(self.secret_env, "").split()
        if not secrets:
            raise UserError(f"{place} is not set; expected whsec_ and base64")
        try:
            if not all(secret.startswith("whsec_") for secret in secrets):
                raise ValueError
            return [Webhook(secret) for secret in secrets]
        except Exception:
            # The library's own words could quote the secret.
            raise UserError(f"{place} is no secret; expected whsec_ and base64") from None


def read_endpoints(project: Path) -> dict[str, Endpoint]:
    """By name, those of the file that TALLY_WEBHOOKS names, else of the project's; none without.

    Raises UserError with the place of what cannot be read.
    """
    import yaml

    named = os.environ.get(VARIABLE)
    file = Path(named) if named else project / FILE
    try:
        content = yaml.safe_load(file.read_text("utf-8")) or {}
    except FileNotFoundError:
        if named:
            raise UserError(f"{VARIABLE}: no file {named}") from None
        content = {}
    except (OSError, ValueError, yaml.YAMLError) as fault:
        raise UserError(f"{file}: {' '.join(str(fault).split())}") from None
    if not isinstance(content, dict) or not content.keys() <= {"endpoints", ALLOWED}:
        raise UserError(f"{file}: expected the keys endpoints and {ALLOWED}, and no other")
    allowed = content.get(ALLOWED) or []
    if not isinstance(allowed, list) or not all(isinstance(host, str) for host in allowed):
        raise UserError(f"{file}: {ALLOWED}: found {allowed!r}, expected a list of host names")
    endpoints = content.get("endpoints") or {}
    if not isinstance(endpoints, dict):
        raise UserError(f"{file}: endpoints: expected an endpoint a key")
    hosts = frozenset(_plain_host(host) for host in allowed)
    return {
        str(name): _read_endpoint(str(name), values, hosts, f"{file}: endpoints: {name}")
        for name, values in endpoints.items()
    }


def _read_endpoint(name: str, values: Any, allowed: frozenset[str], place: str) -> Endpoint:
    if not isinstance(values, dict):
        raise UserError(f"{place}: expected the keys {', '.join(KEYS)}")
    for key in values:
        if key not in KEYS:
            raise UserError(f"{place}: {key}: unknown, expected one of {', '.join(KEYS)}")
    for key in REQUIRED:
        if values.get(key) in (None, ""):
            expected = {"url": "an address", "since": "a day, from which on events are sent"}
            fallback = "the name of an environment variable"
            raise UserError(f"{place}: {key}: found none, expected {expected.get(key, fallback)}")
    url = str(values["url"])
    host, port = _read_url(url, allowed, f"{place}: url")
    secret_env = str(values["secret_env"])
    if not secret_env.isidentifier() or secret_env.startswith("whsec_"):
        # Not repeated: it could be the secret.
        raise UserError(f"{place}: secret_env: expected the name of an environment variable")
    return Endpoint(
        name=name,
        url=url,
        host=host,
        port=port,
        secret_env=secret_env,
        since=_read_since(values["since"], f"{place}: since"),
        event_types=_read_types(values.get("events"), f"{place}: events"),
        timeout_seconds=_read_timeout(values.get("timeout_seconds", 10), place),
        may_be_private=host in allowed,
    )


def _read_url(url: str, allowed: frozenset[str], place: str) -> tuple[str, int]:
    """Host, as it is looked up, and port."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _plain_host(parts.hostname or "")
    except ValueError as fault:
        raise UserError(f"{place}: found {url!r}, {fault}") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise UserError(f"{place}: found {url!r}, expected https://host/path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UserError(f"{place}: expected no user, password or fragment in an address")
    if host not in allowed:
        if parts.scheme == "http":
            raise UserError(f"{place}: found {url!r}, expected https, or {host} among {ALLOWED}")
        if _is_private_literal(host):
            raise UserError(
                f"{place}: found the private address {host}, expected a public one, or it among"
                f" {ALLOWED}"
            )
    return host, port or (443 if parts.scheme == "https" else 80)


def _plain_host(host: str) -> str:
    """In lower case, without a full stop at the end, in ASCII. ValueError where it has none."""
    plain = host.strip().lower().rstrip(".").strip("[]")
    return plain if plain.isascii() else plain.encode("idna").decode()


def _is_private_literal(host: str) -> bool:
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return False


def _read_since(value: Any, place: str) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time())
    raise UserError(f"{place}: found {value!r}, expected a day, YYYY-MM-DD")


def _read_types(value: Any, place: str) -> tuple[str, ...]:
    if value is None:
        return EVENT_TYPES
    if not isinstance(value, list) or not value or not set(map(str, value)) <= set(EVENT_TYPES):
        raise UserError(f"{place}: found {value!r}, expected some of {', '.join(EVENT_TYPES)}")
    return tuple(dict.fromkeys(value))


def _read_timeout(value: Any, place: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value <= LONGEST_TIMEOUT:
        raise UserError(
            f"{place}: timeout_seconds: found {value!r}, expected seconds up to {LONGEST_TIMEOUT}"
        )
    return float(value)
