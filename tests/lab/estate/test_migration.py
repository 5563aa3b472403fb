from pathlib import Path

import pytest
import yaml

CASES = yaml.safe_load((Path(__file__).parent / "cases/migration.yaml").read_text(encoding="utf-8"))
STATES = ("msDS-DelegatedMSAState", "msDS-SupersededServiceAccountState")
UNWILLING = "ActiveDirectoryServer:8245"


def states(far):
    return [far.managed(STATES[0]).get(STATES[0], 0), far.user(STATES[1]).get(STATES[1], 0)]


def brought_to(estate_with, pair, switches):
    if pair == [3, 0]:
        return estate_with(switches=switches, dmsas=[{"dn": estate_with.dmsa, "state": 3}])
    far = estate_with(switches=switches | {"complete_refuses_empty_membership": False} if pair[0] == 2 else switches)
    far.create()
    for verb in ("Start", "Complete")[: pair[0]]:
        assert far.migrate(verb).failure is None
    return far


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['from']}-{case['do']}-{case['to']}")
def test_table(case, estate_with):
    far = brought_to(estate_with, case["from"], case.get("switches", {}))
    before = far.estate.describe()
    result = far.migrate(case["do"])
    if case["to"] == "refused":
        assert result.failure is not None
        assert result.failure.id.startswith(UNWILLING)
        assert far.estate.describe() == before
    else:
        assert result.failure is None
        assert states(far) == case["to"]


def test_start_links_both_ways_and_grants(far):
    far.migrate("Start")
    dmsa = far.managed("msDS-ManagedAccountPrecededByLink", "msDS-SupersededManagedAccountLinkBL")
    assert dmsa["msDS-ManagedAccountPrecededByLink"] == far.account
    assert dmsa["msDS-SupersededManagedAccountLinkBL"] == far.account
    user = far.user("msDS-SupersededManagedAccountLink", "msDS-ManagedAccountPrecededByLinkBL", "servicePrincipalName")
    assert user["msDS-SupersededManagedAccountLink"] == far.dmsa
    assert user["msDS-ManagedAccountPrecededByLinkBL"] == far.dmsa
    assert user["Enabled"] is True
    assert user["servicePrincipalName"] == ["HTTP/reports", "HTTP/reports.corp.example"]
    assert f";;{user['SID'].text})" in sddl(far)


def sddl(far):
    ask = {"Identity": far.dmsa, "Attribute": "nTSecurityDescriptor", "Server": far.dc}
    return far.send(far.dc, "Get-DmsaDescriptor", configuration="DmsaMigration", **ask).output[0]


def test_complete_moves_spns_disables_and_takes_the_grant_back(far):
    far.migrate("Start")
    far.migrate("Complete")
    user = far.user("servicePrincipalName", "msDS-SupersededManagedAccountLink")
    assert user["Enabled"] is False
    assert "servicePrincipalName" not in user
    assert user["msDS-SupersededManagedAccountLink"] == far.dmsa
    assert far.managed("servicePrincipalName")["servicePrincipalName"] == ["HTTP/reports", "HTTP/reports.corp.example"]
    assert user["SID"].text not in sddl(far)


@pytest.mark.parametrize("enables", [True, False])
@pytest.mark.parametrize("restores", [True, False])
def test_undo_restores_what_its_switches_say(estate_with, enables, restores):
    far = estate_with(switches={"undo_enables_account": enables, "undo_restores_spns": restores})
    far.create()
    for verb in ("Start", "Complete", "Undo"):
        assert far.migrate(verb).failure is None
    user, dmsa = far.user("servicePrincipalName"), far.managed("servicePrincipalName")
    assert user["Enabled"] is enables
    assert ("servicePrincipalName" in user) is restores
    assert ("servicePrincipalName" in dmsa) is not restores


@pytest.mark.parametrize("restores", [True, False])
def test_reset_restores_what_its_switch_says(estate_with, restores):
    far = estate_with(switches={"reset_restores": restores})
    far.create()
    for verb in ("Start", "Complete", "Reset"):
        assert far.migrate(verb).failure is None
    user = far.user("servicePrincipalName", "msDS-SupersededManagedAccountLink")
    assert user["Enabled"] is restores
    assert ("servicePrincipalName" in user) is restores
    assert "msDS-SupersededManagedAccountLink" not in user


def test_delegation_is_copied_and_taken_back(far):
    account = "CN=svc-erp,OU=Service Accounts,DC=corp,DC=example"
    for verb in ("Start", "Complete"):
        assert far.migrate(verb, account=account).failure is None
    assert far.managed("msDS-AllowedToDelegateTo")["msDS-AllowedToDelegateTo"] == ["MSSQLSvc/db01.corp.example"]
    far.migrate("Undo", account=account)
    assert "msDS-AllowedToDelegateTo" not in far.managed("msDS-AllowedToDelegateTo")


POLICY = "CN=Tier 1,CN=AuthN Policies,CN=AuthN Policy Configuration,CN=Services,CN=Configuration,DC=corp,DC=example"
SILO = "CN=Services,CN=AuthN Silos,CN=AuthN Policy Configuration,CN=Services,CN=Configuration,DC=corp,DC=example"


def test_who_may_delegate_policy_and_silo_are_shown_copied_and_taken_back(estate_with):
    front = "CN=APP01,CN=Computers,DC=corp,DC=example"
    user = {"dn": estate_with.account, "delegated_by": [front], "authn_policy": "Tier 1", "authn_silo": "Services"}
    far = estate_with(users=[user])
    far.create()
    asked = {
        "PrincipalsAllowedToDelegateToAccount": [front],
        "msDS-AssignedAuthNPolicy": POLICY,
        "msDS-AssignedAuthNPolicySilo": SILO,
    }
    assert far.user(*asked).items() >= asked.items()
    assert far.user("msDS-AuthNPolicySiloMembersBL")["msDS-AuthNPolicySiloMembersBL"] == [SILO]
    assert not far.managed(*asked).keys() & asked.keys()
    for verb in ("Start", "Complete"):
        assert far.migrate(verb).failure is None
    assert far.user(*asked).items() >= asked.items()
    assert far.managed(*asked).items() >= asked.items()
    assert "msDS-AuthNPolicySiloMembersBL" not in far.managed("msDS-AuthNPolicySiloMembersBL")
    far.migrate("Undo")
    assert not far.managed(*asked).keys() & asked.keys()


def test_another_account_is_no_pair(far):
    far.migrate("Start")
    other = "CN=svc-web,OU=Service Accounts,DC=corp,DC=example"
    for verb in ("Start", "Complete", "Undo", "Reset"):
        assert far.migrate(verb, account=other).failure.id.startswith(UNWILLING)


def test_only_users_can_be_superseded(far):
    assert far.migrate("Start", account="CN=APP01,CN=Computers,DC=corp,DC=example").failure.id.startswith(UNWILLING)


@pytest.mark.parametrize("changes", [{"build": 20348}, {"writable": False}])
def test_only_a_writable_2025_dc_migrates(estate_with, changes):
    dcs = [{"name": "dc01.corp.example"} | changes, {"name": "dc02.corp.example"}]
    far = estate_with(dcs=dcs, dmsas=[{"dn": estate_with.dmsa}])
    assert far.migrate("Start").failure.id.startswith(UNWILLING)


def test_an_operator_without_the_right_is_refused(estate_with):
    far = estate_with(operator={"name": "operator", "rights": ["read", "read-dmsa", "write"]})
    far.create()
    assert far.migrate("Start").failure.id.startswith("ActiveDirectoryServer:8344")
