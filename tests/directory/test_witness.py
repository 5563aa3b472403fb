"""The second witness against a real directory: who may ask, what is refused, and what it says of the two objects."""

import os
import socket
import subprocess
import threading

import pytest

from orchestrator.lab.wire.certificates import Authority
from orchestrator.model.call import Read
from orchestrator.model.directory import Account, DmsaSeen, PairSeen
from orchestrator.model.lifecycle import Phase
from orchestrator.model.observation import FaultKind, Outcome, Unreadable
from orchestrator.model.plan import Connection, Directory, Estate
from orchestrator.model.witness import contradictions, witness_endpoint, witness_reads, witness_seen
from orchestrator.remote.connection import Connections
from orchestrator.remote.ldap import LdapTransport
from orchestrator.remote.routes import Routes
from tests import samba
from tests.directory.copies import LINK, OLD_LINK, OLD_STATE, STATE, SambaCopy
from tests.world import World

pytestmark = pytest.mark.service
DC01, DC02 = (f"{name}.{samba.DOMAIN}" for name in samba.CONTROLLERS)
OU = f"OU=witness,{samba.BASE}"


class Observer:
    """A witness with its own connection settings."""

    def __init__(self, folder, environment=None, addresses=None, server=DC01, **connection):
        given = {"match": "*", "auth": "kerberos", **connection}
        estate = Estate(
            domain=samba.DOMAIN,
            directory=Directory(endpoint=server, server=server, witness="ldap"),
            addresses=addresses or {},
            connections=(Connection.model_validate(given),),
        )
        settings = Connections(estate, folder, (environment or {}).get).settings
        self.transport = LdapTransport(settings)

    def ask(self, account, dmsa="nobody", server=DC01):
        call = Read(witness_endpoint(server), witness_reads(samba.DOMAIN, dmsa, account))
        return self.transport.run(call, self.transport.ticket(call.endpoint))

    def look(self, account, dmsa, server=DC01):
        reply = self.ask(account, dmsa, server)
        assert reply.outcome is Outcome.SUCCEEDED, reply.fault
        return witness_seen(server, reply, dmsa)

    def fault(self, server=DC01):
        reply = self.ask(f"CN=Administrator,CN=Users,{samba.BASE}", server=server)
        assert reply.outcome is Outcome.FAILED
        assert reply.records == ()
        assert reply.fault.message.startswith(f"{server} by LDAP: ") or reply.fault.message.startswith(f"{server}: ")
        assert samba.PASSWORD not in repr(reply)
        return reply.fault


@pytest.fixture
def addresses(controller):
    """Where the packets go: to a network without DNS. The port is that of remoting, and is not for LDAP."""
    return {DC01: f"{controller.address}:5986"}


@pytest.fixture
def password(controller, tmp_path, addresses):
    """A witness that logs on with a password, under TLS."""
    (tmp_path / "ca.pem").write_bytes(controller.ca.read_bytes())

    def made(username=samba.ADMINISTRATOR, secret=samba.PASSWORD, server=DC01, addresses=addresses, **more):
        tls = more.pop("tls", {"ca": "ca.pem"})
        return Observer(
            tmp_path, {"SECRET": secret}, addresses, server,
            auth="basic", username=username, password="${env:SECRET}", tls=tls, **more,
        )  # fmt: skip

    return made


@pytest.fixture
def ticket(controller, monkeypatch, tmp_path, addresses):
    """A witness that logs on with the runner's own ticket."""
    for name, value in controller.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path / 'tickets'}")
    environment = {"KRB5CCNAME": f"FILE:{tmp_path / 'tickets'}", "KRB5_CONFIG": controller.environment["KRB5_CONFIG"]}

    def made(principal=samba.ADMINISTRATOR, **more):
        if principal is not None:
            command = ["kinit", principal]
            subprocess.run(
                command, input=samba.PASSWORD + "\n", text=True, check=True, capture_output=True,
                env={**os.environ, **environment},
            )  # fmt: skip
        return Observer(tmp_path, addresses=addresses, **more)

    return made


@pytest.fixture
def user(ticket, tmp_path, addresses):
    """A witness that logs on with a ticket for the plan's user; the runner has none of its own."""
    ticket(None)

    def made(secret=samba.PASSWORD, **more):
        named = {"username": samba.ADMINISTRATOR, "password": "${env:SECRET}"}
        return Observer(tmp_path, {"SECRET": secret}, addresses, **named, **more)

    return made


@pytest.fixture(scope="session")
def pairs(controller, cut_off):
    """A pair that the first controller shows at 1/1 and the other one, which heard nothing of it, not at all."""
    with SambaCopy(controller, samba.ADMINISTRATOR) as one, SambaCopy(cut_off, samba.ADMINISTRATOR) as other:
        for copy in (one, other):
            copy.add(OU, "organizationalUnit")
            account = copy.user("svc-app", OU, servicePrincipalName=["HTTP/app"])
        dmsa = one.dmsa("dmsa-app", OU)
        one.modify(account, ("add", OLD_LINK, [dmsa]), ("add", OLD_STATE, ["1"]))
        one.modify(dmsa, ("add", LINK, [account]), ("replace", STATE, ["1"]))
        yield one, other


def cmdlets_say(copy, dn=f"CN=svc-app,{OU}", dmsa=f"CN=dmsa-app,{OU}", **changed) -> PairSeen:
    """The pair as a cmdlet would truthfully show it, but for what is changed."""
    account = {
        "guid": copy.guid(dn), "dn": dn, "sid": "", "sam": "svc-app", "object_class": "user",
        "enabled": False, "protected": True, "state": int(copy.get(dn, OLD_STATE) or 0), "link": copy.get(dn, OLD_LINK),
        "spns": frozenset(["HTTP/app"]), "watched": {},
    }  # fmt: skip
    seen = DmsaSeen(
        copy.guid(dmsa), dmsa, "", int(copy.get(dmsa, STATE)), copy.get(dmsa, LINK), (), frozenset(), "", {}
    )
    return PairSeen(DC01, Account(**(account | changed)), seen)


@pytest.mark.parametrize("way", ["ticket", "user", "password"])
def test_it_sees_both_objects(way, request, pairs):
    seen = request.getfixturevalue(way)().look(f"CN=svc-app,{OU}", "dmsa-app")
    assert (seen.account.state, seen.account.link) == (1, f"CN=dmsa-app,{OU}")
    assert (seen.dmsa.state, seen.dmsa.link) == (1, f"CN=svc-app,{OU}")
    assert seen.account.spns == {"HTTP/app"}
    assert not seen.account.enabled
    assert str(seen).startswith("dc01.corp.example by LDAP: dMSA state 1, linked to CN=svc-app")
    assert contradictions(cmdlets_say(pairs[0]), seen) == ()


def test_a_ticket_that_was_bought_serves_one_log_on_and_no_other(user, ticket):
    assert user().ask(f"CN=svc-app,{OU}").outcome is Outcome.SUCCEEDED
    assert ticket(None).fault().code == "authentication-failed"


def test_by_guid_it_follows_a_moved_account(ticket, pairs):
    copy, _ = pairs
    dn = copy.user("svc-moved", OU)
    guid = str(copy.guid(dn))
    copy.rename(dn, "CN=svc-moved elsewhere")
    assert ticket().look(guid, "nobody").account.dn == f"CN=svc-moved elsewhere,{OU}"
    copy.delete(f"CN=svc-moved elsewhere,{OU}")
    assert ticket().look(guid, "nobody").account is None


def test_it_contradicts_a_lie(ticket, pairs):
    seen = ticket().look(f"CN=svc-app,{OU}", "dmsa-app")
    lie = cmdlets_say(pairs[0], state=2, enabled=True, spns=frozenset(), link=None)
    assert contradictions(lie, seen) == (
        "account's state: the cmdlet says 2, LDAP 1",
        f"account's link: the cmdlet says nothing, LDAP {f'CN=dmsa-app,{OU}'.lower()}",
        "account's SPNs: the cmdlet says nothing, LDAP http/app",
        "account's enabled flag: the cmdlet says True, LDAP False",
    )


def test_each_copy_speaks_for_itself(password, cut_off, tmp_path, pairs):
    (tmp_path / "ca.pem").write_bytes(cut_off.ca.read_bytes())
    other = password(server=DC02, addresses={DC02: cut_off.address})
    seen = other.look(f"CN=svc-app,{OU}", "dmsa-app", DC02)
    assert (seen.account.state, seen.account.link, seen.dmsa) == (0, None, None)
    said = contradictions(cmdlets_say(pairs[0], guid=seen.account.guid), seen)
    assert said[0] == "dMSA: the cmdlet shows it, LDAP none"
    assert "account's state: the cmdlet says 1, LDAP 0" in said


def test_who_may_not_read_the_dmsa_sees_none(password, pairs):
    pairs[0].somebody("observer")
    seen = password("observer@corp.example").look(f"CN=svc-app,{OU}", "dmsa-app")
    assert seen.dmsa is None
    assert seen.account is not None


def test_half_a_right_is_said_and_not_guessed(password, pairs):
    copy, _ = pairs
    copy.dmsa("dmsa-half", OU)
    copy.somebody("half")
    copy.grant(f"CN=dmsa-half,{OU}", "half", "RP", "e48d0154-bcf8-11d1-8702-00c04fb96050")  # public information only
    copy.grant(f"CN=dmsa-half,{OU}", "half", "RP", "3e0abfd0-126a-11d0-a060-00aa006c33ed")  # sAMAccountName
    reply = password("half@corp.example").ask(f"CN=svc-app,{OU}", "dmsa-half")
    assert reply.outcome is Outcome.SUCCEEDED
    with pytest.raises(Unreadable, match=r"without (userAccountControl|msDS-DelegatedMSAState).*second-witness"):
        witness_seen(DC01, reply, "dmsa-half")


class TestRefusals:
    """Every way in which nothing is read, in words that a person can act on."""

    def test_a_wrong_password(self, password):
        fault = password(secret="not it").fault()
        assert (fault.code, fault.kind) == ("access-denied", FaultKind.PERMANENT)

    def test_a_certificate_of_somebody_else(self, password, tmp_path):
        (tmp_path / "other.pem").write_bytes(Authority().pem)
        fault = password(tls={"ca": "other.pem"}).fault()
        assert (fault.code, fault.kind, fault.reached) == ("untrusted-certificate", FaultKind.PERMANENT, False)
        assert "tls.ca" in fault.remedy

    def test_a_certificate_of_another_name(self, password, controller):
        server = f"dc09.{samba.DOMAIN}"
        fault = password(server=server, addresses={server: controller.address}).fault(server)
        assert fault.code == "untrusted-certificate"

    @pytest.mark.usefixtures("pairs")
    def test_the_lab_may_leave_the_certificate_unchecked(self, password):
        assert password(tls={"verify": False}).look(f"CN=svc-app,{OU}", "dmsa-app").account is not None

    def test_no_ticket(self, ticket):
        fault = ticket(None).fault()
        assert (fault.code, fault.kind) == ("authentication-failed", FaultKind.PERMANENT)
        assert "klist" in fault.remedy

    def test_a_name_that_kerberos_does_not_know(self, ticket, controller, addresses):
        server = f"dc09.{samba.DOMAIN}"
        addresses[server] = controller.address
        fault = ticket(server=server).fault(server)
        assert fault.code == "authentication-failed"
        assert f"ldap/{server}" in fault.remedy

    def test_a_wrong_password_for_a_ticket(self, user):
        fault = user(secret="not it").fault()
        assert (fault.code, fault.kind) == ("authentication-failed", FaultKind.PERMANENT)
        assert "there is no ticket (" in fault.message
        assert "password" in fault.remedy

    def test_a_way_to_log_on_that_it_does_not_have(self, tmp_path, addresses):
        fault = Observer(tmp_path, addresses=addresses, auth="ntlm").fault()
        assert (fault.code, fault.kind) == ("witness-auth", FaultKind.PERMANENT)

    def test_nobody_listens(self, password):
        fault = password(addresses={DC01: samba.address(2)}).fault()
        assert (fault.code, fault.kind, fault.reached) == ("refused", FaultKind.TRANSIENT, False)
        assert "witness: none" in fault.remedy

    def test_a_name_that_does_not_resolve(self, password):
        fault = password(addresses={DC01: "no-such-host.invalid"}).fault()
        assert (fault.code, fault.kind) == ("name-unresolved", FaultKind.TRANSIENT)

    @pytest.mark.parametrize("way", ["ticket", "password"])
    @pytest.mark.parametrize("hangs", [True, False])
    def test_a_server_that_hangs_or_hangs_up(self, way, hangs, request, addresses):
        with Silent(hangs) as address:
            addresses[DC01] = address
            fault = request.getfixturevalue(way)(timeout="1s").fault()
        assert fault.code in {"no-answer", "connection-lost"}
        assert fault.kind is FaultKind.TRANSIENT


class Silent:
    """A port 389 that takes a connection and says nothing; or hangs up on it."""

    def __init__(self, hangs: bool) -> None:
        self._hangs = hangs
        self._socket = socket.create_server((samba.address(3), 389))
        self._taken: list[socket.socket] = []

    def __enter__(self) -> str:
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()
        return samba.address(3)

    def _take(self) -> None:
        taken, _ = self._socket.accept()
        taken.recv(1)
        if self._hangs:
            self._taken.append(taken)
        else:
            taken.close()

    def __exit__(self, *_) -> None:
        self._thread.join(10)
        for one in (*self._taken, self._socket):
            one.close()


def test_one_ticket_asks_every_copy(ticket, cut_off, addresses, pairs):
    """Both copies have the account; of what was done on the first one the other one says nothing."""
    addresses[DC02] = cut_off.address
    witness = ticket()
    seen = [witness.look(f"CN=svc-app,{OU}", "dmsa-app", server) for server in (DC01, DC02)]
    assert [one.account.state for one in seen] == [1, 0]
    assert [one.dmsa is not None for one in seen] == [True, False]


class Believing(World):
    """The lab's cmdlets, and beside them the LDAP of real domain controllers, which know nothing of what those do."""

    def __init__(self, witness: LdapTransport) -> None:
        def only(plan):
            migrations = [one for wave in plan["waves"] for one in wave["migrations"]]
            chosen = [one for one in migrations if one["dmsa"]["name"] == "dmsa-batch"]
            plan["waves"] = [{"name": "only", "migrations": chosen}]

        super().__init__(change_plan=only, witness="ldap")
        self._ldap = witness

    def transport_for(self, inner, life):
        return super().transport_for(Routes(inner, self._ldap), life)


@pytest.mark.usefixtures("pairs")
def test_a_run_whose_cmdlets_lie_is_held_by_what_ldap_shows(ticket, cut_off, addresses):
    """The cmdlets say that both copies show the pair linked; neither copy has heard of it when asked by LDAP."""
    addresses[DC02] = cut_off.address
    world = Believing(ticket().transport)
    state = world.run()["dmsa-batch"]
    assert (state.held.reason, state.phase) == ("witness-disagrees", Phase.STARTED)
    for server in (DC01, DC02):
        assert f"{server}: dMSA: the cmdlet shows it, LDAP none" in state.held.detail
    assert len(world.arrived("Start-ADServiceAccountMigration")) == 1
    assert not world.arrived("Complete-ADServiceAccountMigration")


@pytest.mark.usefixtures("pairs")
def test_a_run_is_not_believed_while_a_copy_cannot_be_asked(ticket, addresses):
    """One copy answers; nobody listens at the other's address."""
    addresses[DC02] = samba.address(2)
    state = Believing(ticket().transport).run()["dmsa-batch"]
    assert (state.held.reason, state.phase) == ("retries-spent", Phase.STARTED)
    assert "dc02.corp.example by LDAP: it refuses connections on port 389" in state.held.detail
