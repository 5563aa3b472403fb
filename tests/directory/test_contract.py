"""What a domain controller does with the two objects of a migration, asked of the estate and of a real directory.

A test names what is expected of Active Directory. Where Samba is known to differ from it, ``differences.yaml`` says so.
"""

from pathlib import Path

from orchestrator.lab.estate.ldap_codes import Code
from tests.directory.copies import (
    BACK,
    BASE,
    DIFFERENCES,
    DMSA,
    LINK,
    OLD_BACK,
    OLD_LINK,
    OLD_STATE,
    SPN,
    STATE,
    refused,
)

DMSA_GUID = "0feb936f-47b3-49f2-9386-1dedc2c23765"
TWO_FOR_ONE = (Code.ATTRIBUTE_OR_VALUE_EXISTS, Code.CONSTRAINT_VIOLATION)
"""Two values for a single-valued attribute: no document says which of the two codes it is."""


def pair(copy, ou, name):
    """A dMSA and a user that name each other."""
    account, dmsa = copy.user(name, ou), copy.dmsa(f"{name}d", ou)
    copy.modify(account, ("add", OLD_LINK, [dmsa]), ("add", OLD_STATE, ["1"]))
    copy.modify(dmsa, ("add", LINK, [account]), ("replace", STATE, ["1"]))
    return account, dmsa


# Links.


def test_a_link_shows_at_both_ends(copy, ou, name):
    account, dmsa = pair(copy, ou, name)
    assert (copy.get(account, OLD_LINK), copy.get(dmsa, OLD_BACK)) == (dmsa, account)
    assert (copy.get(dmsa, LINK), copy.get(account, BACK)) == (account, dmsa)


def test_a_link_needs_a_target(copy, ou, name):
    account = copy.user(name, ou)
    with refused(Code.CONSTRAINT_VIOLATION):
        copy.modify(account, ("add", OLD_LINK, [f"CN=nobody,{ou}"]))
    assert copy.get(account, OLD_LINK) is None


def test_a_link_takes_one_target(copy, ou, name):
    account, _ = pair(copy, ou, name)
    other = copy.dmsa(f"{name}e", ou)
    with refused(*TWO_FOR_ONE):
        copy.modify(account, ("add", OLD_LINK, [other]))
    copy.set(account, OLD_LINK, other)
    assert copy.get(account, OLD_LINK) == other
    assert copy.get(f"CN={name}d,{ou}", OLD_BACK) is None


def test_a_back_link_is_not_written(copy, ou, name):
    account, dmsa = copy.user(name, ou), copy.dmsa(f"{name}d", ou)
    with refused(Code.UNWILLING_TO_PERFORM):
        copy.modify(dmsa, ("add", OLD_BACK, [account]))


def test_links_follow_both_ends(copy, ou, name):
    account, dmsa = pair(copy, ou, name)
    copy.add(f"OU=away,{ou}", "organizationalUnit")
    copy.rename(account, f"CN={name}r", f"OU=away,{ou}")
    moved = f"CN={name}r,OU=away,{ou}"
    assert copy.get(dmsa, LINK) == moved
    assert copy.get(dmsa, OLD_BACK) == moved
    assert copy.get(moved, OLD_LINK) == dmsa
    copy.rename(f"OU=away,{ou}", "OU=far")
    assert copy.get(dmsa, LINK) == f"CN={name}r,OU=far,{ou}"


def test_a_deleted_account_leaves_the_links_and_not_the_state(copy, ou, name):
    account, dmsa = pair(copy, ou, name)
    copy.delete(account)
    there = copy.read(dmsa, LINK, OLD_BACK, STATE)
    assert there == {"dn": dmsa, STATE.lower(): "1"}


def test_a_deleted_dmsa_leaves_the_links_and_not_the_state(copy, ou, name):
    account, dmsa = pair(copy, ou, name)
    copy.delete(dmsa)
    there = copy.read(account, OLD_LINK, BACK, OLD_STATE)
    assert there == {"dn": account, OLD_STATE.lower(): "1"}


def test_membership_is_a_link_of_many(copy, ou, name):
    one, two = copy.user(f"{name}a", ou), copy.user(f"{name}b", ou)
    copy.add(f"CN=inner{name},{ou}", "group", sAMAccountName=f"inner{name}", member=[one, two])
    copy.add(f"CN=outer{name},{ou}", "group", sAMAccountName=f"outer{name}", member=[f"CN=inner{name},{ou}"])
    assert copy.get(f"CN=inner{name},{ou}", "member") == (one, two)
    assert copy.get(one, "memberOf") == f"CN=inner{name},{ou}"
    chain = f"(member:1.2.840.113556.1.4.1941:={one})"
    assert copy.find(chain, ou) == [f"CN=inner{name},{ou}", f"CN=outer{name},{ou}"]


# Deletion and tombstones.


def test_what_is_left_of_a_deleted_account(copy, ou, name):
    account = copy.user(name, ou, servicePrincipalName=[f"HTTP/{name}"], description="of no use any more")
    guid, sid = copy.guid(account), copy.get(account, "objectSid")
    copy.delete(account)
    there = copy.read(f"<GUID={guid}>", "*", deleted=True)
    assert there["dn"] == f"CN={name}\\0ADEL:{guid},CN=Deleted Objects,{BASE}"
    assert there["isdeleted"] == "TRUE"
    assert there["lastknownparent"] == ou
    assert (there["samaccountname"], there["objectsid"]) == (name, sid)
    assert SPN.lower() not in there
    assert "description" not in there


def test_a_deleted_account_is_not_found(copy, ou, name):
    account = copy.user(name, ou)
    guid = copy.guid(account)
    copy.delete(account)
    assert copy.read(account) is None
    assert copy.read(f"<GUID={guid}>") is None
    assert copy.find(f"(sAMAccountName={name})") == []
    assert len(copy.find(f"(sAMAccountName={name})", deleted=True)) == 1


def test_a_name_is_free_again_after_deletion(copy, ou, name):
    first = copy.user(name, ou, servicePrincipalName=[f"HTTP/{name}"])
    guid = copy.guid(first)
    copy.delete(first)
    second = copy.user(name, ou, servicePrincipalName=[f"HTTP/{name}"])
    assert copy.guid(second) != guid


def test_a_container_with_children_is_not_deleted(copy, ou, name):
    copy.user(name, ou)
    with refused(Code.NOT_ALLOWED_ON_NON_LEAF):
        copy.delete(ou)


def test_protection_stops_even_an_administrator(copy, ou, name):
    account = copy.user(name, ou)
    copy.protect(account)
    with refused(Code.INSUFFICIENT_ACCESS_RIGHTS):
        copy.delete(account)
    assert copy.read(account) is not None


def test_a_protected_account_is_not_moved(copy, ou, name):
    account = copy.user(name, ou)
    copy.add(f"OU=away,{ou}", "organizationalUnit")
    copy.protect(account)
    with refused(Code.INSUFFICIENT_ACCESS_RIGHTS):
        copy.rename(account, f"CN={name}", f"OU=away,{ou}")
    copy.rename(account, f"CN={name}r")


def test_states_and_links_do_not_outlive_the_object(copy, ou, name):
    account, dmsa = pair(copy, ou, name)
    guids = [copy.guid(dn) for dn in (account, dmsa)]
    for dn in (account, dmsa):
        copy.delete(dn)
    for guid in guids:
        there = copy.read(f"<GUID={guid}>", "*", deleted=True)
        assert not {each.lower() for each in (STATE, LINK, BACK, OLD_STATE, OLD_LINK, OLD_BACK)} & there.keys()
        assert "useraccountcontrol" in there


def test_somebody_of_no_rank_sees_no_tombstone(copy, ou, name):
    account = copy.user(name, ou)
    guid = copy.guid(account)
    somebody = copy.somebody(f"{name}s")
    assert somebody.read(f"<GUID={guid}>") is not None
    copy.delete(account)
    assert somebody.read(f"<GUID={guid}>", deleted=True) is None


def test_what_is_not_there_is_not_deleted(copy, ou):
    with refused(Code.NO_SUCH_OBJECT):
        copy.delete(f"CN=nobody,{ou}")


# Service principal names.


def test_a_service_principal_name_stands_once(copy, ou, name):
    first = copy.user(name, ou, servicePrincipalName=[f"HTTP/{name}"])
    second = copy.dmsa(f"{name}d", ou)
    for taken in (f"HTTP/{name}", f"http/{name.upper()}"):
        with refused(Code.CONSTRAINT_VIOLATION):
            copy.modify(second, ("add", SPN, [taken]))
    copy.modify(first, ("delete", SPN, [f"HTTP/{name}"]))
    copy.modify(second, ("add", SPN, [f"HTTP/{name}"]))
    assert copy.find(f"(servicePrincipalName=http/{name})") == [second]


def test_a_new_object_takes_no_name_of_another(copy, ou, name):
    copy.user(name, ou, servicePrincipalName=[f"HTTP/{name}"])
    with refused(Code.CONSTRAINT_VIOLATION):
        copy.dmsa(f"{name}d", ou, servicePrincipalName=[f"HTTP/{name}"])
    assert copy.find(f"(sAMAccountName={name}d$)") == []


def test_one_object_has_a_value_once(copy, ou, name):
    account = copy.user(name, ou, servicePrincipalName=[f"HTTP/{name}"])
    with refused(Code.ATTRIBUTE_OR_VALUE_EXISTS):
        copy.modify(account, ("add", SPN, [f"HTTP/{name}"]))


def test_a_host_and_a_service_of_its_name_may_be_two_accounts(copy, ou, name):
    copy.user(name, ou, servicePrincipalName=[f"HTTP/{name}"])
    computer = copy.dmsa(f"{name}d", ou)
    with copy.differing("host-alias"):
        copy.modify(computer, ("add", SPN, [f"HOST/{name}"]))
        assert copy.get(computer, SPN) == f"HOST/{name}"


# Mandatory attributes, single values, syntax.


def test_a_dmsa_has_a_state_and_an_interval(copy, ou, name):
    dn = f"CN={name},{ou}"
    for given in ({"msDS_DelegatedMSAState": "0"}, {"msDS_ManagedPasswordInterval": "30"}):
        with refused(Code.OBJECT_CLASS_VIOLATION):
            copy.add(dn, DMSA, sAMAccountName=f"{name}$", userAccountControl="4096", **given)
        assert copy.read(dn) is None


def test_a_dmsa_keeps_its_state(copy, ou, name):
    dmsa = copy.dmsa(name, ou)
    with refused(Code.OBJECT_CLASS_VIOLATION):
        copy.modify(dmsa, ("delete", STATE, []))
    assert copy.get(dmsa, STATE) == "0"


def test_a_state_is_one_number(copy, ou, name):
    dmsa = copy.dmsa(name, ou)
    with refused(*TWO_FOR_ONE):
        copy.modify(dmsa, ("add", STATE, ["1"]))
    with refused(*TWO_FOR_ONE):
        copy.modify(dmsa, ("replace", STATE, ["1", "2"]))
    with refused(Code.INVALID_ATTRIBUTE_SYNTAX):
        copy.set(dmsa, STATE, "one")
    assert copy.get(dmsa, STATE) == "0"


def test_a_user_has_no_place_for_what_is_the_dmsas(copy, ou, name):
    account, other = copy.user(name, ou), copy.user(f"{name}o", ou)
    for attribute, value in ((STATE, "0"), (LINK, other)):
        with refused(Code.OBJECT_CLASS_VIOLATION):
            copy.modify(account, ("add", attribute, [value]))


def test_an_account_name_stands_once(copy, ou, name):
    copy.user(name, ou)
    with refused(Code.ENTRY_ALREADY_EXISTS, Code.CONSTRAINT_VIOLATION):
        copy.add(f"CN={name} again,{ou}", "user", sAMAccountName=name.upper())
    with refused(Code.ENTRY_ALREADY_EXISTS):
        copy.add(f"CN={name.upper()},{ou}", "user", sAMAccountName=f"{name}x")


# Compare and swap.


def test_a_value_is_swapped_if_it_is_the_one_expected(copy, ou, name):
    dmsa = copy.dmsa(name, ou)
    copy.modify(dmsa, ("delete", STATE, ["0"]), ("add", STATE, ["1"]))
    assert copy.get(dmsa, STATE) == "1"
    with refused(Code.NO_SUCH_ATTRIBUTE):
        copy.modify(dmsa, ("delete", STATE, ["0"]), ("add", STATE, ["2"]))
    assert copy.get(dmsa, STATE) == "1"


def test_a_link_is_swapped_if_it_is_the_one_expected(copy, ou, name):
    account, dmsa = pair(copy, ou, name)
    other = copy.dmsa(f"{name}e", ou)
    with refused(Code.NO_SUCH_ATTRIBUTE):
        copy.modify(account, ("delete", OLD_LINK, [other]), ("add", OLD_LINK, [other]))
    copy.modify(account, ("delete", OLD_LINK, [dmsa]), ("add", OLD_LINK, [other]))
    assert copy.get(account, OLD_LINK) == other


def test_a_modification_is_whole_or_nothing(copy, ou, name):
    account = copy.user(name, ou)
    with refused(Code.NO_SUCH_ATTRIBUTE):
        copy.modify(account, ("replace", "description", ["new"]), ("delete", SPN, [f"HTTP/{name}"]))
    assert copy.get(account, "description") is None


def test_what_is_unset_can_be_replaced_by_nothing_but_not_deleted(copy, ou, name):
    account = copy.user(name, ou)
    copy.modify(account, ("replace", OLD_STATE, []))
    with refused(Code.NO_SUCH_ATTRIBUTE):
        copy.modify(account, ("delete", OLD_STATE, []))


# From the GUID to the name.


def test_a_guid_leads_to_the_present_name(copy, ou, name):
    account = copy.user(name, ou)
    by_guid = f"<GUID={copy.guid(account)}>"
    copy.add(f"OU=away,{ou}", "organizationalUnit")
    copy.rename(account, f"CN={name}r", f"OU=away,{ou}")
    assert copy.read(by_guid)["dn"] == f"CN={name}r,OU=away,{ou}"
    assert copy.read(account) is None
    copy.modify(by_guid, ("replace", "description", ["moved"]))
    assert copy.get(f"CN={name}r,OU=away,{ou}", "description") == "moved"


def test_a_guid_that_nobody_has(copy):
    assert copy.read("<GUID=00000000-0000-4000-8000-000000000001>") is None


def test_a_moved_object_does_not_push_another_away(copy, ou, name):
    account = copy.user(name, ou)
    copy.add(f"OU=away,{ou}", "organizationalUnit")
    copy.add(f"CN={name},OU=away,{ou}", "user", sAMAccountName=f"{name}x")
    with refused(Code.ENTRY_ALREADY_EXISTS):
        copy.rename(account, f"CN={name}", f"OU=away,{ou}")
    assert copy.read(account) is not None


def test_odd_names_are_found_again(copy, ou, name):
    for number, odd in enumerate(("a\\, b", "plus\\+plus", '\\"quoted\\"', "semi\\;colon", "a \\<b\\>")):
        dn = f"CN={odd} {name},{ou}"
        copy.add(dn, "user", sAMAccountName=f"{name}n{number}")
        (found,) = copy.find(f"(sAMAccountName={name}n{number})")
        assert copy.get(found, "sAMAccountName") == f"{name}n{number}"
        assert copy.guid(found) == copy.guid(dn)


def test_names_are_compared_without_regard_to_case(copy, ou, name):
    account = copy.user(name, ou)
    assert copy.read(account.upper())["dn"] == account
    copy.rename(account, f"CN={name.upper()}")
    assert copy.read(account)["dn"] == f"CN={name.upper()},{ou}"


# Filters.


def test_a_dmsa_is_a_computer_and_a_user(copy, ou, name):
    account, dmsa = copy.user(name, ou), copy.dmsa(f"{name}d", ou)
    assert copy.find("(objectClass=user)", ou) == [account, dmsa]
    assert copy.find("(objectClass=computer)", ou) == [dmsa]
    assert copy.find(f"(objectClass={DMSA})", ou) == [dmsa]
    assert copy.find("(objectCategory=person)", ou) == [account]


def test_filters_compare_as_a_directory_does(copy, ou, name):
    account, dmsa = copy.user(name, ou, description="Runs *everything*"), copy.dmsa(f"{name}d", ou)
    assert copy.find("(description=runs \\2aEVERYTHING\\2a)", ou) == [account]
    assert copy.find("(description=runs*thing*)", ou) == [account]
    assert copy.find("(description=runs)", ou) == []
    assert copy.find("(&(objectClass=user)(!(description=*)))", ou) == [dmsa]
    assert copy.find("(userAccountControl:1.2.840.113556.1.4.803:=4096)", ou) == [dmsa]
    assert copy.find(f"({STATE}>=0)", ou) == [dmsa]
    assert copy.find(f"({STATE}=1)", ou) == []
    pair(copy, ou, f"{name}p")
    assert copy.find(f"({OLD_LINK}=CN={name}pd,{ou})", ou) == [f"CN={name}p,{ou}"]
    assert copy.find(f"({OLD_LINK}=CN=nobody,{ou})", ou) == []


def test_scopes(copy, ou, name):
    copy.add(f"OU=below,{ou}", "organizationalUnit")
    account = copy.user(name, f"OU=below,{ou}")
    wanted = "(objectClass=*)"
    assert copy.find(wanted, ou, "Base") == [ou]
    assert copy.find(wanted, ou, "OneLevel") == [f"OU=below,{ou}"]
    assert copy.find(wanted, ou) == sorted([ou, f"OU=below,{ou}", account])


# Access.


def test_somebody_of_no_rank_changes_nothing(copy, ou, name):
    account, dmsa = pair(copy, ou, name)
    somebody = copy.somebody(f"{name}s")
    with refused(Code.INSUFFICIENT_ACCESS_RIGHTS):
        somebody.dmsa(f"{name}x", ou)
    for attribute, value in ((OLD_STATE, "2"), (OLD_LINK, dmsa)):
        with refused(Code.INSUFFICIENT_ACCESS_RIGHTS):
            somebody.set(account, attribute, value)
    with refused(Code.INSUFFICIENT_ACCESS_RIGHTS):
        somebody.delete(account)
    assert copy.get(account, OLD_STATE) == "1"


def test_a_right_to_create_goes_by_class(copy, ou, name):
    somebody = copy.somebody(f"{name}s")
    copy.grant(ou, f"{name}s", "CC", DMSA_GUID)
    somebody.dmsa(f"{name}x", ou)
    with refused(Code.INSUFFICIENT_ACCESS_RIGHTS):
        somebody.user(f"{name}y", ou)
    assert copy.find("(objectClass=user)", ou) == [f"CN={name}x,{ou}"]


def test_a_right_to_write_goes_by_attribute(copy, ou, name):
    account = copy.user(name, ou)
    somebody = copy.somebody(f"{name}s")
    copy.grant(account, f"{name}s", "WP", "a4693096-a4c3-4ecd-b8cb-73cd6398b7a2")
    somebody.set(account, OLD_STATE, "2")
    with refused(Code.INSUFFICIENT_ACCESS_RIGHTS):
        somebody.set(account, "description", "mine")
    assert copy.get(account, OLD_STATE) == "2"


def test_a_dmsa_is_not_for_everybody(copy, ou, name):
    account, dmsa = pair(copy, ou, name)
    somebody = copy.somebody(f"{name}s")
    assert somebody.get(account, OLD_STATE) == "1"
    assert somebody.find(f"(sAMAccountName={name}d$)") == []
    copy.grant(dmsa, f"{name}s", "LCRPLORC")
    assert somebody.find(f"(sAMAccountName={name}d$)") == [dmsa]
    assert somebody.get(dmsa, STATE) == "1"


def test_every_known_difference_is_met_by_a_test():
    text = Path(__file__).read_text(encoding="utf-8")
    assert [label for label in DIFFERENCES if f'differing("{label}")' not in text] == []
