from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.lab.estate import dn as names
from orchestrator.lab.estate.cmdlets import rendering

LINK = "msDS-SupersededManagedAccountLink"


def test_a_write_reaches_the_other_dc_after_the_latency(far):
    far.pass_time(minutes=5)
    far.migrate("Start")
    far.pass_time(seconds=44)
    assert LINK not in far.user(LINK, server=far.dc2)
    far.pass_time(seconds=1)
    assert far.user(LINK, server=far.dc2)[LINK] == far.dmsa


def test_links_follow_a_moved_object(far):
    far.migrate("Start")
    directory = far.estate.directory
    replica = directory.replicas[far.dc]
    account = replica.at_dn(far.account)
    directory.move(far.dc, account.guid, replica.at_dn("OU=Managed,DC=corp,DC=example"))
    moved = "CN=svc-report,OU=Managed,DC=corp,DC=example"
    assert far.managed("msDS-ManagedAccountPrecededByLink")["msDS-ManagedAccountPrecededByLink"] == moved
    assert replica.at_dn(far.account) is None


@pytest.mark.parametrize("recycle_bin", [True, False])
def test_a_deleted_object_leaves_every_link_and_can_still_be_found(estate_with, recycle_bin):
    far = estate_with(domain={"dns": "corp.example", "netbios": "CORP", "recycle_bin": recycle_bin})
    far.create()
    far.migrate("Start")
    account = far.user()["ObjectGUID"]
    far.estate.directory.delete(far.dc, account)
    dmsa = far.managed("msDS-ManagedAccountPrecededByLink", "msDS-DelegatedMSAState")
    assert "msDS-ManagedAccountPrecededByLink" not in dmsa
    assert dmsa["msDS-DelegatedMSAState"] == 1
    missing = far.send(far.dc, "Get-ADUser", Identity=str(account))
    assert "ADIdentityNotFoundException" in missing.failure.id
    asked = {"Identity": str(account), "IncludeDeletedObjects": True, "Properties": ["*"]}
    found = far.one(far.dc, "Get-ADObject", **asked)
    assert found["Deleted"] is True
    assert found["lastKnownParent"] == "OU=Service Accounts,DC=corp,DC=example"
    assert found["DistinguishedName"].endswith(f"\\0ADEL:{account},CN=Deleted Objects,DC=corp,DC=example")
    assert ("servicePrincipalName" in found) is recycle_bin


def test_a_service_principal_name_stands_once(far):
    taken = "http/REPORTS"
    add = {"Identity": "svc-web", "ServicePrincipalNames": {"Add": [taken]}, "Server": far.dc}
    assert far.send(far.dc, "Set-ADUser", **add).failure.id.startswith("ActiveDirectoryServer:8647")
    assert far.create("dmsa-two", ServicePrincipalNames=[taken]).failure.id.startswith("ActiveDirectoryServer:8647")
    far.ok(far.dc, "Set-ADUser", Identity="svc-report", ServicePrincipalNames={"Remove": ["HTTP/reports"]})
    far.ok(far.dc, "Set-ADUser", **add)


def test_protection_marks_the_object_and_its_container(far):
    far.ok(far.dc, "Set-ADObject", Identity=far.account, ProtectedFromAccidentalDeletion=True)
    assert far.user("ProtectedFromAccidentalDeletion")["ProtectedFromAccidentalDeletion"] is True
    ask = {"Identity": "OU=Service Accounts,DC=corp,DC=example", "Attribute": "nTSecurityDescriptor"}
    result = far.send(far.dc, "Get-DmsaDescriptor", configuration="Jea", **ask)
    assert "(D;;DC;;;WD)" in result.output[0]


def test_while_a_dc_is_cut_off_it_keeps_its_own_view(far):
    far.estate.directory.cut_off(far.dc2, far.estate.now + timedelta(hours=1))
    far.migrate("Start")
    far.pass_time(minutes=59)
    assert LINK not in far.user(LINK, server=far.dc2)
    assert far.one(far.dc, "Get-ADReplicationFailure", Target=far.dc)["FailureCount"] == 4
    far.pass_time(minutes=2)
    assert far.user(LINK, server=far.dc2)[LINK] == far.dmsa
    assert far.ok(far.dc, "Get-ADReplicationFailure", Target=far.dc) == []


def test_of_two_membership_writes_one_is_lost(far):
    for dc, host in ((far.dc, "APP01$"), (far.dc2, "APP02$")):
        far.pass_time(minutes=1 if dc == far.dc else 0)
        far.ok(dc, "Set-ADServiceAccount", Identity=far.dmsa, PrincipalsAllowedToRetrieveManagedPassword=[host])
    far.pass_time(minutes=5)
    assert far.principals() == far.principals(far.dc2)
    assert len(far.principals()) == 1


ATTRIBUTES = ("description", "servicePrincipalName", LINK)
WRITES = st.lists(
    st.tuples(
        st.sampled_from(["write", "delete", "move", "cut", "wait"]),
        st.sampled_from(["dc01.corp.example", "dc02.corp.example"]),
        st.sampled_from(["svc-report", "svc-batch", "svc-erp"]),
        st.sampled_from(ATTRIBUTES),
        st.integers(0, 120),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps=WRITES)
def test_replicas_converge_whatever_was_written_where(estate_with, steps):
    far = estate_with()
    directory, clock = far.estate.directory, far.estate.clock
    first = directory.replicas[far.dc]
    guids = {name: first.account(name).guid for name in ("svc-report", "svc-batch", "svc-erp")}
    managed = first.at_dn("OU=Managed,DC=corp,DC=example").guid
    for what, dc, name, attribute, number in steps:
        guid = guids[name]
        if what == "write":
            value = (guids["svc-erp"],) if attribute == LINK else str(number)
            directory.write(dc, guid, {attribute: value})
        elif what == "delete" and not directory.replicas[dc].entries[guid].deleted:
            directory.delete(dc, guid)
        elif what == "move":
            directory.move(dc, guid, directory.replicas[dc].entries[managed])
        elif what == "cut":
            directory.cut_off(dc, clock.now + timedelta(seconds=number))
        clock.advance_to(clock.now + timedelta(seconds=number))
    clock.advance_to(clock.now + timedelta(hours=1))
    one, other = far.estate.describe()["directory"].values()
    assert one == other


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
def test_a_name_survives_escaping(text):
    rdn = f"CN={names.escape(text)}"
    assert names.value(rdn) == text
    assert names.split(f"{rdn},OU=x,DC=corp") == (rdn, "OU=x", "DC=corp")


@pytest.mark.parametrize("name", ["a,b", 'quo"te', "back\\slash", "#hash", "plus+plus", "semi;colon", " space "])
def test_an_object_with_an_odd_name_is_found_again(far, name):
    assert far.create(name, SamAccountName="odd").failure is None
    dn = far.managed(identity="odd$")["DistinguishedName"]
    assert far.managed(identity=dn)["Name"] == name


@settings(max_examples=60, deadline=None)
@given(steps=WRITES)
def test_what_is_shown_is_never_older_than_what_is_there(estate_with, steps):
    """Renderings are kept as long as nothing changes that they show: the object, links to it, anybody's name."""
    far = estate_with()
    directory, clock = far.estate.directory, far.estate.clock
    guids = [directory.replicas[far.dc].account(name).guid for name in ("svc-report", "svc-batch", "svc-erp")]
    managed = directory.replicas[far.dc].at_dn("OU=Managed,DC=corp,DC=example").guid
    accounts = dict(zip(("svc-report", "svc-batch", "svc-erp"), guids, strict=True))
    asked = (LINK, "msDS-ManagedAccountPrecededByLinkBL", "memberOf", "description", "whenChanged", "uSNChanged")
    for what, dc, name, attribute, number in steps:
        guid = accounts[name]
        if what == "write":
            directory.write(dc, guid, {attribute: (guids[number % 3],) if attribute == LINK else str(number)})
        elif what == "delete" and not directory.replicas[dc].entries[guid].deleted:
            directory.delete(dc, guid)
        elif what == "move":
            directory.move(dc, guid, directory.replicas[dc].entries[managed])
        clock.advance_to(clock.now + timedelta(seconds=number))
        for replica in directory.replicas.values():
            for entry in map(replica.entries.__getitem__, guids):
                anew = rendering.render(replica, entry, "ADUser", (*asked, "tokenGroups"))
                kept = rendering.render(replica, entry, "ADUser", asked)
                assert dict(kept.properties) == {k: v for k, v in anew.properties.items() if k != "tokenGroups"}
                assert kept.text == replica.dn(entry) == names.join(str(entry.get("rdn")), *_above(replica, entry))


def _above(replica, entry):
    while (entry := replica.entries.get(entry.get("parent"))) is not None:
        yield str(entry.get("rdn"))


def test_the_token_is_shown_to_whom_it_belongs(estate_with):
    def token(far, **caller):
        result = far.send(far.dc, "Get-ADRootDSE", Server=far.dc, Properties=["tokenGroups"], **caller)
        return {str(sid.text).rpartition("-")[2] for sid in result.output[0].properties["tokenGroups"]}

    far = estate_with()
    assert "512" in token(far)
    assert "512" not in token(far, principal="CORP\\svc-report")
    assert "512" in token(far, principal="WinRM Virtual Users\\WinRM_VA_1_CORP_operator")
    assert "512" not in token(estate_with(operator={"name": "operator", "domain_admin": False}))
    assert "tokenGroups" not in far.one(far.dc, "Get-ADRootDSE", Server=far.dc)


def test_asking_for_the_token_is_not_waiting(far):
    for _ in range(3):
        far.ok(far.dc, "Get-ADRootDSE", Server=far.dc, Properties=["tokenGroups"])
    assert far.estate.now == far.estate.spec.clock.start


def test_what_the_operator_may_not_read_is_left_out(estate_with):
    far = estate_with(operator={"name": "operator", "hidden": ["PrimaryGroupID"]})
    assert set(far.user("primaryGroupID", "pwdLastSet")) & {"primaryGroupID", "pwdLastSet"} == {"pwdLastSet"}
    asked = {"Identity": far.account, "Properties": ["primaryGroupID"], "Server": far.dc}
    shown = far.send(far.dc, "Get-ADUser", principal="CORP\\svc-report", **asked).output[0]
    assert shown.properties["primaryGroupID"] == 513


def test_only_a_global_catalogue_answers_for_the_forest(estate_with):
    dcs = [{"name": estate_with.dc}, {"name": estate_with.dc2, "global_catalog": False}]
    far = estate_with(dcs=dcs)
    asked = {"LDAPFilter": "(sAMAccountName=svc-report)", "SearchBase": "", "SearchScope": "Subtree"}
    assert len(far.ok(far.dc, "Get-ADObject", Server=f"{far.dc}:3268", **asked)) == 1
    assert "ADServerDown" in far.send(far.dc2, "Get-ADObject", Server=f"{far.dc2}:3268", **asked).failure.exception
    shown = {one.properties["HostName"]: one for one in far.ok(far.dc, "Get-ADDomainController", Filter="*")}
    assert [shown[dc].properties["IsGlobalCatalog"] for dc in (far.dc, far.dc2)] == [True, False]


def test_a_domain_controller_goes_by_its_own_clock(estate_with):
    far = estate_with(dcs=[{"name": estate_with.dc, "clock_ahead": "7m"}, {"name": estate_with.dc2}])
    for dc, ahead in ((far.dc, 7), (far.dc2, 0)):
        told = far.one(dc, "Get-ADRootDSE", Server=dc)["currentTime"]
        assert told - far.estate.now == timedelta(minutes=ahead)
