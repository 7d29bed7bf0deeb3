"""Webhooks: the outbox that builds fill, and its delivery to real servers on this machine."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import duckdb
import pytest
from jinja2 import Environment

from orchestration.cli import main
from orchestration.errors import UserError
from orchestration.warehouse import Warehouse
from orchestration.webhooks import addresses, delivery
from orchestration.webhooks.addresses import is_public
from orchestration.webhooks.delivery import Clock, Deliverer
from orchestration.webhooks.endpoints import EVENT_TYPES, Endpoint, read_endpoints
from orchestration.webhooks.outbox import SCHEDULE, Outbox
from orchestration.webhooks.replaying import replay_event
from orchestration.webhooks.sending import Answer, send
from orchestration.webhooks.sole_delivery import sole_delivery
from tests.houses import PROJECT, _Postgres
from tests.postgres_server import fresh_database
from tests.receiver import SECRET, drip, hang, receiving

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
SINCE = datetime(2026, 1, 1)
TABLE_MACROS = PROJECT / "macros" / "webhooks" / "create_webhook_tables.sql"


def table_statements() -> str:
    """The tables as the macro of the first hook of a run has them."""
    types = {"count": "bigint", "text": "text", "timestamp": "timestamp"}
    environment = Environment(extensions=["jinja2.ext.do"])
    environment.globals.update(
        {f"type_{name}": lambda kind=kind: kind for name, kind in types.items()},
        guard_tables=lambda *words: "",
        var=lambda name, default: default,
    )
    environment.globals["return"] = lambda value: value
    template = environment.from_string(TABLE_MACROS.read_text("utf-8"))
    return str(template.module.create_webhook_tables())


@dataclass
class SmallOutbox:
    """An outbox that was filled by hand, with a clock that a test moves."""

    opener: Callable[[], Warehouse]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    slept: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    opened: int = 0

    @contextmanager
    def open(self) -> Iterator[Warehouse]:
        self.opened += 1
        with self.opener() as warehouse:
            try:
                yield warehouse
            finally:
                self.opened -= 1

    def add(self, *events: tuple[str, str], event_type: str = "invoice.finalized") -> None:
        """Events (id, customer), behind what is there."""
        with self.open() as warehouse:
            for event_id, customer in events:
                data = json.dumps({"type": event_type, "data": {"name": f"Tōkyō {event_id}"}})
                warehouse.execute(
                    "insert into webhooks.outbox select coalesce(max(position), 0) + 1,"
                    " cast(? as text), cast(? as text), cast(? as text),"
                    " timestamp '2026-02-01', cast(? as text) from webhooks.outbox",
                    [event_id, event_type, customer, data],
                )

    def attempts(self) -> list[tuple]:
        with self.open() as warehouse:
            return warehouse.query(
                "select event_id, outcome, status_code, reason from webhooks.attempts"
                " order by attempt_number"
            )[1]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    def deliverer(self, *endpoints: Endpoint, **more) -> Deliverer:
        return Deliverer(
            self.open,
            {each.name: each for each in endpoints},
            clock=Clock(lambda: self.now, self.sleep),
            say=self.said.append,
            **more,
        )

    def deliver(self, *endpoints: Endpoint, **more) -> delivery.Summary:
        return self.deliverer(*endpoints, **more).deliver()


@pytest.fixture
def make_outbox(tmp_path, monkeypatch) -> Iterator[Callable[..., SmallOutbox]]:
    monkeypatch.setenv("TALLY_WEBHOOK_CRM", SECRET)

    kept = []

    def make(engine: str = "duckdb", is_kept_open: bool = True) -> SmallOutbox:
        if engine == "duckdb":
            path = str(tmp_path / "outbox.duckdb")

            def opener() -> Warehouse:
                return Warehouse("duckdb", duckdb.connect(path), path)

            if is_kept_open:
                # The file is then not written out each time that it is closed.
                kept.append(duckdb.connect(path))
        else:
            variables = fresh_database("webhooks_small")

            def opener() -> Warehouse:
                return Warehouse("postgres", _Postgres(variables).connection, "test")

        with opener() as warehouse:
            for statement in table_statements().split(";"):
                if statement.strip():
                    warehouse.execute(statement)
        return SmallOutbox(opener)

    yield make
    for connection in kept:
        connection.close()


@pytest.fixture
def outbox(make_outbox) -> SmallOutbox:
    return make_outbox()


def endpoint(port: int, name: str = "crm", **more) -> Endpoint:
    given = {
        "url": f"http://localhost:{port}/hook?from=tally",
        "host": "localhost",
        "secret_env": "TALLY_WEBHOOK_CRM",
        "since": SINCE,
        "may_be_private": True,
    }
    return Endpoint(name=name, port=port, **{**given, **more})


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def next_due_at(outbox: SmallOutbox) -> datetime | None:
    with outbox.open() as warehouse:
        found = Outbox(warehouse).next_due_at(endpoint(1), outbox.now.replace(tzinfo=None))
    return found and found.replace(tzinfo=UTC)


# Delivered


@ENGINES
def test_what_is_due_is_delivered_signed_and_once(make_outbox, engine):
    outbox = make_outbox(engine)
    outbox.add(("evt_1", "acme"), ("evt_2", "acme"), ("evt_3", "blau"))
    with receiving() as receiver:
        summary = outbox.deliver(endpoint(receiver.port))
        # The receiver verifies with the library, and keeps only what is signed.
        assert not receiver.faults
        assert sorted(receiver.ids) == ["evt_1", "evt_2", "evt_3"]
        first = next(each for each in receiver.requests if each.event_id == "evt_1")
        assert first.event["data"] == {"name": "Tōkyō evt_1"}
        assert (first.path, first.host) == ("/hook?from=tally", f"localhost:{receiver.port}")
        assert (summary.counts["delivered"], summary.waiting) == (3, 0)
        assert outbox.deliver(endpoint(receiver.port)).counts == {}
        assert len(receiver.requests) == 3
    assert outbox.said == ["3 sent: 3 delivered"]


def test_another_secret_does_not_verify(outbox):
    outbox.add(("evt_1", "acme"))
    with receiving(secret="whsec_c2VjcmV0IG9mIHNvbWVib2R5IGVsc2U=") as receiver:
        outbox.deliver(endpoint(receiver.port))
        assert [type(each).__name__ for each in receiver.faults] == [
            "WebhookVerificationError",
            "WebhookVerificationError",
        ]
    assert {row[1:3] for row in outbox.attempts()} == {("failed", 400)}


def test_while_a_secret_is_changed_both_sign(outbox, monkeypatch):
    new = "whsec_c2VjcmV0IG9mIHNvbWVib2R5IGVsc2U="
    monkeypatch.setenv("TALLY_WEBHOOK_CRM", f"{new} {SECRET}")
    outbox.add(("evt_1", "acme"))
    with receiving(secret=SECRET) as old, receiving(secret=new) as changed:
        outbox.deliver(endpoint(old.port), endpoint(changed.port, "changed"))
        assert (old.ids, changed.ids) == (["evt_1"], ["evt_1"])


def test_an_endpoint_gets_its_types_from_its_day_on(outbox):
    outbox.add(("evt_1", "acme"))
    outbox.add(("evt_2", "acme"), event_type="credit.low")
    with receiving() as low, receiving() as later:
        outbox.deliver(
            endpoint(low.port, "low", event_types=("credit.low",)),
            endpoint(later.port, "later", since=datetime(2026, 2, 2)),
        )
        assert (low.ids, later.ids) == (["evt_2"], [])


def test_the_warehouse_is_not_held_while_a_receiver_is_slow(outbox):
    outbox.add(("evt_1", "acme"))
    held = []

    def answer(*words) -> Answer:
        held.append(outbox.opened)
        # Another process could write now.
        with outbox.open() as warehouse:
            warehouse.execute("create table meanwhile (one integer)")
        return Answer(204)

    outbox.deliver(endpoint(1), send=answer)
    assert held == [0]


def test_a_customer_with_many_keeps_no_other_out(outbox, monkeypatch):
    monkeypatch.setattr(delivery, "BATCH", 4)
    outbox.add(*((f"evt_{n}", "acme") for n in range(6)), ("evt_blau", "blau"))
    sent = []

    def answer(endpoint, signers, event_id, *words) -> Answer:
        sent.append(event_id)
        return Answer(204)

    outbox.deliver(endpoint(1), send=answer)
    assert "evt_blau" in sent[:4]
    assert [each for each in sent if each != "evt_blau"] == [f"evt_{n}" for n in range(6)]


# Failed


def test_a_failure_is_tried_again_after_five_seconds(outbox):
    outbox.add(("evt_1", "acme"))
    with receiving(answers=[500]) as receiver:
        summary = outbox.deliver(endpoint(receiver.port))
        assert receiver.ids == ["evt_1", "evt_1"]
    assert outbox.slept == [5.0]
    assert outbox.attempts() == [
        ("evt_1", "failed", 500, "HTTP 500"),
        ("evt_1", "delivered", 204, None),
    ]
    assert summary.sentence() == "1 delivered, 1 failed, 0 dead; 0 waiting, 0 dead letters"


@ENGINES
def test_a_customer_s_later_events_wait_for_the_failed_one(make_outbox, engine):
    outbox = make_outbox(engine)
    outbox.add(("a1", "acme"), ("b1", "blau"), ("a2", "acme"), ("b2", "blau"), ("a3", "acme"))
    # The library takes no signature that is five minutes from now.
    outbox.now -= timedelta(minutes=4)

    with receiving() as receiver:
        broken = True
        receiver.behave = lambda request, _: 500 if broken and request.event_id == "a1" else 200
        outbox.deliver(endpoint(receiver.port))
        assert sorted(receiver.ids) == ["a1", "a1", "b1", "b2"]
        # Not due before five minutes are over, whatever comes behind it.
        outbox.now += timedelta(seconds=290)
        assert outbox.deliver(endpoint(receiver.port)).waiting == 3
        broken = False
        outbox.now += timedelta(seconds=10)
        assert outbox.deliver(endpoint(receiver.port)).waiting == 0
        assert receiver.ids[-3:] == ["a1", "a2", "a3"]


@ENGINES
def test_attempts_keep_the_schedule_and_the_last_one_is_a_dead_letter(make_outbox, engine):
    outbox = make_outbox(engine)
    outbox.add(("evt_1", "acme"), ("evt_2", "acme"))
    times = []

    def answer(endpoint, signers, event_id, payload, sent_at) -> Answer:
        if event_id == "evt_2":
            return Answer(204)
        times.append(sent_at)
        return Answer(503, "HTTP 503")

    outbox.deliver(endpoint(1), send=answer)
    while (due_at := next_due_at(outbox)) is not None:
        outbox.now = due_at - timedelta(seconds=delivery.PATIENCE + 1)
        assert outbox.deliver(endpoint(1), send=answer).counts == {}
        outbox.now = due_at
        outbox.deliver(endpoint(1), send=answer)
    waits = [round((b - a).total_seconds()) for a, b in itertools.pairwise(times)]
    assert waits == list(SCHEDULE[1:])
    outcomes = [row[:2] for row in outbox.attempts()]
    assert outcomes[:9] == [("evt_1", "failed")] * 9
    assert outcomes[9:] == [("evt_1", "dead"), ("evt_2", "delivered")]
    with outbox.open() as warehouse:
        states = Outbox(warehouse).deliveries(endpoint(1))
    assert {each.event_id: each.state for each in states} == {"evt_1": "dead", "evt_2": "delivered"}


def test_gone_is_a_dead_letter_at_once(outbox):
    outbox.add(("evt_1", "acme"), ("evt_2", "acme"))
    with receiving(answers=[410, 200]) as receiver:
        summary = outbox.deliver(endpoint(receiver.port))
        assert receiver.ids == ["evt_1", "evt_2"]
    assert outbox.attempts()[0] == ("evt_1", "dead", 410, "HTTP 410")
    assert (summary.counts["dead"], summary.dead_letters, summary.waiting) == (1, 1, 0)


def test_a_redirect_is_not_followed(outbox):
    outbox.add(("evt_1", "acme"))
    with receiving(answers=[302, 307]) as receiver:
        outbox.deliver(endpoint(receiver.port))
        assert receiver.ids == ["evt_1", "evt_1"]
        assert {each.path for each in receiver.requests} == {"/hook?from=tally"}
        assert not receiver.faults
    assert [row[3] for row in outbox.attempts()] == [
        "HTTP 302: redirects are not followed",
        "HTTP 307: redirects are not followed",
    ]


@pytest.mark.parametrize("behave", [hang, drip])
def test_a_server_that_does_not_come_to_an_end_is_left(behave, outbox):
    with receiving(behave=behave) as receiver:
        target = endpoint(receiver.port, timeout_seconds=0.5)
        began = datetime.now()
        answer = send(target, target.signers(), "evt_1", "{}", datetime.now(UTC))
        took = (datetime.now() - began).total_seconds()
    assert answer == Answer(None, "no answer within 0.5 s")
    assert 0.4 < took < 15
    assert not answer.is_delivered


def test_a_port_that_nobody_listens_on_and_what_is_no_http(outbox):
    target = endpoint(free_port())
    answer = send(target, target.signers(), "evt_1", "{}", datetime.now(UTC))
    assert answer.reason.startswith("ConnectionRefusedError")

    def babble(request, handler) -> None:
        handler.wfile.write(b"220 mail.example ESMTP\r\n")

    with receiving(behave=babble) as receiver:
        target = endpoint(receiver.port)
        answer = send(target, target.signers(), "evt_1", "{}", datetime.now(UTC))
    assert (answer.status_code, answer.is_delivered) == (None, False)
    assert answer.reason.startswith("BadStatusLine")


def test_an_endpoint_that_never_answers_rests_and_the_others_do_not_wait(outbox, monkeypatch):
    monkeypatch.setattr(delivery, "WORKERS", 1)
    monkeypatch.setattr(delivery, "RESTS_AFTER", 3)
    outbox.add(*((f"evt_{n}", f"customer {n}") for n in range(20)))
    tried = []

    def answer(endpoint, *words) -> Answer:
        tried.append(endpoint.name)
        return Answer(204) if endpoint.name == "crm" else Answer(None, "no answer within 10 s")

    summary = outbox.deliver(endpoint(1, "silent"), endpoint(2), send=answer)
    assert (tried.count("silent"), tried.count("crm")) == (3, 20)
    assert summary.resting == ["silent"]
    assert summary.waiting == 20


# Killed, and sent again


def test_what_was_sent_and_not_recorded_is_sent_again_with_the_same_id(outbox):
    outbox.add(("evt_1", "acme"), ("evt_2", "acme"))

    class Killed(BaseException):
        pass

    with receiving() as receiver:
        deliverer = outbox.deliverer(endpoint(receiver.port))
        openings = []

        @contextmanager
        def open_once() -> Iterator[Warehouse]:
            openings.append(1)
            if len(openings) > 1:
                raise Killed
            with outbox.open() as warehouse:
                yield warehouse

        with pytest.raises(Killed):
            replace(deliverer, open_warehouse=open_once).deliver()
        assert outbox.attempts() == []
        assert deliverer.deliver().counts["delivered"] == 2
        assert receiver.ids == ["evt_1", "evt_2", "evt_1", "evt_2"]


@ENGINES
def test_an_event_is_sent_again_by_its_id(make_outbox, engine):
    outbox = make_outbox(engine)
    outbox.add(("evt_1", "acme"), ("evt_2", "acme"))
    with receiving(answers=[410, 200]) as receiver, receiving() as early:
        # It gets nothing of that time by itself.
        late = endpoint(early.port, "late", since=datetime(2026, 3, 1))
        endpoints = {"crm": endpoint(receiver.port), "late": late}
        outbox.deliver(*endpoints.values())

        def replay(event_id: str, is_named: bool, *names: str) -> list[str]:
            chosen = {name: endpoints[name] for name in names or endpoints}
            with outbox.open() as warehouse:
                return replay_event(
                    Outbox(warehouse), event_id, chosen, is_named, outbox.now.replace(tzinfo=None)
                )

        assert replay("evt_1", False) == ["crm"]
        assert outbox.deliver(*endpoints.values()).dead_letters == 0
        assert receiver.ids == ["evt_1", "evt_2", "evt_1"]
        assert replay("evt_2", True, "late") == ["late"]
        outbox.deliver(*endpoints.values())
        assert early.ids == ["evt_2"]
        with pytest.raises(UserError, match="no event evt_9 in the outbox"):
            replay("evt_9", False)
        with pytest.raises(UserError, match="no endpoint takes evt_1"):
            replay("evt_1", False, "late")
    outcomes = [row[:2] for row in outbox.attempts() if row[1] == "replayed"]
    assert outcomes == [("evt_1", "replayed"), ("evt_2", "replayed")]


def test_a_replayed_event_has_all_its_attempts_again(outbox):
    outbox.add(("evt_1", "acme"))
    for _ in SCHEDULE:
        outbox.deliver(endpoint(1), send=lambda *words: Answer(500))
        outbox.now += timedelta(days=2)
    assert outbox.attempts()[-1][1] == "dead"
    with outbox.open() as warehouse:
        now = outbox.now.replace(tzinfo=None)
        replay_event(Outbox(warehouse), "evt_1", {"crm": endpoint(1)}, False, now)
    outbox.deliver(endpoint(1), send=lambda *words: Answer(500))
    with outbox.open() as warehouse:
        (found,) = Outbox(warehouse).deliveries(endpoint(1))
    assert (found.state, found.failed_count) == ("waiting", 2)


# Where requests may go


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::",
        "fe80::1", "fd00::1", "fec0::1", "ff0e::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_what_is_not_public_is_refused(address, monkeypatch, outbox):
    assert not is_public(ip_address(address))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # A name that resolves to it, beside a public address.
    answers = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443)),
        (family, socket.SOCK_STREAM, 6, "", (address, 443)),
    ]
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *words, **more: answers)
    monkeypatch.setattr(socket.socket, "connect", lambda *words: pytest.fail("connected"))
    target = endpoint(443, url="https://hooks.example/", host="hooks.example", may_be_private=False)
    answer = send(target, target.signers(), "evt_1", "{}", datetime.now(UTC))
    assert answer.status_code is None
    assert answer.reason.startswith(f"refused: hooks.example is at {ip_address(address)}, which")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_is_public_is_not(address):
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f.0.0.1", "2130706433"])
def test_other_ways_to_write_this_machine_are_refused(host, outbox):
    with receiving() as receiver:
        target = endpoint(receiver.port, host=host, may_be_private=False)
        answer = send(target, target.signers(), "evt_1", "{}", datetime.now(UTC))
        assert "which is not public" in answer.reason
        assert receiver.requests == []


def test_the_address_that_was_looked_at_is_the_one_that_is_spoken_to(outbox, monkeypatch):
    """The name is asked for once; a second answer would lead elsewhere."""
    asked = []

    def answer_once(host, port, **more):
        asked.append(host)
        assert len(asked) == 1
        return here(host, port)

    monkeypatch.setattr(addresses.socket, "getaddrinfo", answer_once)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with receiving() as receiver:
        url = f"http://hooks.test:{receiver.port}/x"
        target = endpoint(receiver.port, url=url, host="hooks.test")
        assert send(target, target.signers(), "evt_1", "{}", datetime.now(UTC)) == Answer(204)
        assert [each.host for each in receiver.requests] == [f"hooks.test:{receiver.port}"]
    assert asked == ["hooks.test"]


def test_the_certificate_must_be_the_host_s(outbox, monkeypatch, tmp_path):
    certificate = make_certificate(tmp_path, "hooks.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(
        addresses.socket,
        "getaddrinfo",
        lambda host, port, **more: [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        ],
    )
    with receiving(certificate=str(certificate)) as receiver:
        for host, reason in (("hooks.test", ""), ("other.test", "SSLCertVerificationError")):
            url = f"https://{host}:{receiver.port}/"
            target = endpoint(receiver.port, url=url, host=host, timeout_seconds=30)
            answer = send(target, target.signers(), "evt_1", "{}", datetime.now(UTC))
            assert answer.reason.startswith(reason)
            assert answer.is_delivered == (not reason)
        assert receiver.ids == ["evt_1"]


def here(host, port, **more):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def make_certificate(folder: Path, host: str) -> Path:
    """A certificate that signs itself, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


# The file of endpoints


def written(tmp_path, monkeypatch, text: str):
    file = tmp_path / "webhooks.yml"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("TALLY_WEBHOOKS", str(file))
    return read_endpoints(PROJECT)


GOOD = "url: https://hooks.example.com/t, secret_env: TALLY_WEBHOOK_CRM, since: 2026-03-01"


def test_an_endpoint_is_read(tmp_path, monkeypatch):
    found = written(
        tmp_path,
        monkeypatch,
        "endpoints:\n"
        f"  crm: {{{GOOD}}}\n"
        "  erp: {url: 'http://ERP.internal.:8080', secret_env: A, since: 2026-01-01,"
        " events: [credit.low], timeout_seconds: 3}\n"
        "allow_private_hosts: [erp.internal]\n",
    )
    assert found["crm"] == Endpoint(
        "crm", "https://hooks.example.com/t", "hooks.example.com", 443, "TALLY_WEBHOOK_CRM",
        datetime(2026, 3, 1), EVENT_TYPES, 10, False,
    )  # fmt: skip
    assert (found["crm"].path, found["crm"].is_encrypted) == ("/t", True)
    assert found["erp"] == Endpoint(
        "erp", "http://ERP.internal.:8080", "erp.internal", 8080, "A", datetime(2026, 1, 1),
        ("credit.low",), 3, True,
    )  # fmt: skip


def test_the_project_s_own_file_names_nobody(monkeypatch):
    monkeypatch.delenv("TALLY_WEBHOOKS", raising=False)
    assert read_endpoints(PROJECT) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("endpoint: {}", "expected the keys endpoints and allow_private_hosts, and no other"),
        ("endpoints: [1]", "endpoints: expected an endpoint a key"),
        ("endpoints: {crm: x}", "endpoints: crm: expected the keys url, secret_env, since"),
        ("endpoints: {crm: {u: 1}}", "endpoints: crm: u: unknown, expected one of url, secret_env"),
        ("endpoints: {crm: {url: x}}", "crm: secret_env: found none, expected the name of an env"),
        (f"endpoints: {{crm: {{{GOOD.replace('2026-03-01', 'March')}}}}}",
         "crm: since: found 'March', expected a day, YYYY-MM-DD"),
        (f"endpoints: {{crm: {{{GOOD.replace('https:', 'http:')}}}}}",
         "expected https, or hooks.example.com among allow_private_hosts"),
        (f"endpoints: {{crm: {{{GOOD.replace('hooks.example.com', '10.0.0.1')}}}}}",
         "found the private address 10.0.0.1, expected a public one, or it among"),
        (f"endpoints: {{crm: {{{GOOD.replace('hooks.example.com', 'a:b@hooks.example.com')}}}}}",
         "url: expected no user, password or fragment in an address"),
        (f"endpoints: {{crm: {{{GOOD.replace('https://hooks.example.com/t', 'ftp://x/')}}}}}",
         "url: found 'ftp://x/', expected https://host/path"),
        (f"endpoints: {{crm: {{{GOOD.replace('TALLY_WEBHOOK_CRM', 'whsec_abc')}}}}}",
         "secret_env: expected the name of an environment variable"),
        (f"endpoints: {{crm: {{{GOOD}, events: [invoice.paid]}}}}",
         "events: found ['invoice.paid'], expected some of invoice.created, invoice.finalized"),
        (f"endpoints: {{crm: {{{GOOD}, timeout_seconds: 900}}}}",
         "timeout_seconds: found 900, expected seconds up to 60"),
        ("allow_private_hosts: x", "allow_private_hosts: found 'x', expected a list of host names"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_one_line_with_its_place(text, message, tmp_path, monkeypatch):
    with pytest.raises(UserError) as fault:
        written(tmp_path, monkeypatch, text)
    assert str(fault.value).startswith(str(tmp_path / "webhooks.yml"))
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("secret", [None, "", "abc", "whsec_", "whsec_é"])
def test_without_a_secret_nothing_is_sent(secret, outbox, monkeypatch):
    if secret is None:
        monkeypatch.delenv("TALLY_WEBHOOK_CRM")
    else:
        monkeypatch.setenv("TALLY_WEBHOOK_CRM", secret)
    outbox.add(("evt_1", "acme"))
    with receiving() as receiver:
        with pytest.raises(UserError, match="endpoint crm: TALLY_WEBHOOK_CRM is no") as fault:
            outbox.deliver(endpoint(receiver.port))
        assert receiver.requests == []
    assert str(fault.value).endswith("expected whsec_ and base64")
    assert outbox.attempts() == []


# Dagster


def test_the_asset_tells_what_it_sent_and_is_red_when_letters_are_dead(desk, tmp_path, monkeypatch):
    import dagster as dg

    from orchestration.defs.resources import House
    from orchestration.defs.webhooks import CHECK, DELIVERIES, webhook_assets

    outbox, _ = desk
    outbox.add(("evt_1", "acme"), ("evt_2", "acme"))
    with receiving(answers=[410]) as receiver, dg.DagsterInstance.ephemeral() as instance:
        write_endpoints(tmp_path, monkeypatch, receiver.url)

        def run() -> tuple[dict, dg.AssetCheckEvaluation]:
            done = dg.materialize(
                [webhook_assets()], instance=instance, resources={"house": House(target="duckdb")}
            )
            (made,) = done.asset_materializations_for_node("deliver_webhooks_of_outbox")
            (check,) = done.get_asset_check_evaluations()
            assert (made.asset_key, check.check_name) == (DELIVERIES, CHECK)
            return {name: value.value for name, value in made.metadata.items()}, check

        metadata, check = run()
        assert metadata == {
            "delivered": 1, "failed": 0, "dead": 1, "waiting": 0, "dead letters": 1,
        }  # fmt: skip
        assert not check.passed
        (row,) = check.metadata["rows"].value.records
        assert (row.data["event_id"], row.data["reason"]) == ("evt_1", "HTTP 410")
        with outbox.open() as warehouse:
            now = datetime.now(UTC).replace(tzinfo=None)
            replay_event(Outbox(warehouse), "evt_1", {"crm": endpoint(1)}, False, now)
        metadata, check = run()
        assert (metadata["delivered"], metadata["dead letters"], check.passed) == (1, 0, True)


# The command line


def write_endpoints(folder: Path, monkeypatch, url: str) -> None:
    (folder / "webhooks.yml").write_text(
        f"endpoints: {{crm: {{url: '{url}', secret_env: TALLY_WEBHOOK_CRM, since: 2026-01-01}}}}\n"
        "allow_private_hosts: [localhost]\n"
    )
    monkeypatch.setenv("TALLY_WEBHOOKS", str(folder / "webhooks.yml"))


@pytest.fixture
def desk(make_outbox, tmp_path, monkeypatch):
    """The command line on a hand-filled house: tally(*words) -> exit code."""
    outbox = make_outbox(is_kept_open=False)
    monkeypatch.setenv("TALLY_DUCKDB_PATH", str(tmp_path / "outbox.duckdb"))
    monkeypatch.setenv("TALLY_TARGET", "duckdb")
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    return outbox, lambda *words: main(["webhooks", *words])


def test_deliver_list_and_replay_on_the_command_line(desk, tmp_path, monkeypatch, capsys):
    outbox, tally = desk
    outbox.add(("evt_1", "acme"), ("evt_2", "blau"))
    with receiving() as receiver:
        receiver.behave = lambda request, _: 410 if request.event_id == "evt_1" else 200
        write_endpoints(tmp_path, monkeypatch, receiver.url)
        assert tally("deliver") == 1
        assert capsys.readouterr().out.splitlines() == [
            "2 sent: 1 dead, 1 delivered",
            "1 delivered, 0 failed, 1 dead; 0 waiting, 1 dead letters",
        ]
        assert tally("list", "--state", "dead") == 0
        line, counts = capsys.readouterr().out.splitlines()
        assert line.startswith("evt_1  invoice.finalized  2026-02-01 00:00  acme  crm  dead  (0 f")
        assert line.endswith("UTC: HTTP 410)")
        assert counts == "crm: 0 waiting, 1 delivered, 1 dead"
        assert tally("list", "--customer", "blau") == 0
        assert capsys.readouterr().out.splitlines()[0].endswith("blau  crm  delivered")
        assert tally("replay", "evt_1", "--endpoint", "crm") == 0
        assert capsys.readouterr().out == "evt_1 is sent again to crm by the next delivery\n"
        receiver.behave = None
        assert tally("deliver") == 0
        assert receiver.ids.count("evt_1") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["replay"], "expected an event id"),
        (["list", "evt_1"], "tally webhooks list takes no event id"),
        (["replay", "evt_9"], "no event evt_9 in the outbox"),
        (["list", "--endpoint", "erp"], "--endpoint: found erp, expected one of crm"),
        (["deliver"], "TALLY_WEBHOOK_CRM is not set; expected whsec_ and base64"),
    ],
)
def test_what_cannot_be_done_is_one_line(words, message, desk, tmp_path, monkeypatch, capsys):
    _, tally = desk
    (tmp_path / "webhooks.yml").write_text(f"endpoints: {{crm: {{{GOOD}}}}}\n")
    monkeypatch.setenv("TALLY_WEBHOOKS", str(tmp_path / "webhooks.yml"))
    monkeypatch.delenv("TALLY_WEBHOOK_CRM")
    assert tally(*words) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@ENGINES
def test_one_delivery_at_a_time(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    if engine == "postgres":
        for name, value in fresh_database("webhooks_lock").items():
            monkeypatch.setenv(name, value)
    with (
        sole_delivery(engine, PROJECT),
        pytest.raises(UserError, match="another process is delivering"),
        sole_delivery(engine, PROJECT),
    ):
        pass
    with sole_delivery(engine, PROJECT):
        pass
