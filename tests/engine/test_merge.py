"""What travels together: each statement once, the account last, and alone what does not say what it is about."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.merge import ALONE, merge
from orchestrator.model.call import Read, cmdlet

USER, DMSA = cmdlet("Get-ADUser", Identity="x", Server="dc"), cmdlet("Get-ADServiceAccount", LDAPFilter="y")
KEY, PARENT = cmdlet("Test-Path", LiteralPath="K"), cmdlet("Test-Path", LiteralPath="P")
POOL = cmdlet("Get-WebAppPoolState", Name="Portal")
OTHER = cmdlet("Get-CimInstance", ClassName="Win32_OperatingSystem")
statements = st.sampled_from([USER, DMSA, KEY, PARENT, POOL, OTHER, cmdlet("Get-WebAppPoolState", Name="Other")])
reads = st.lists(
    st.builds(Read, st.sampled_from(["dc", "app"]), st.lists(statements, min_size=1, max_size=4).map(tuple))
)


def test_one_round_trip_an_endpoint():
    assert merge([Read("dc", (DMSA, USER)), Read("dc", (DMSA, USER)), Read("app", (OTHER,))]) == (
        Read("dc", (DMSA, USER)),
        Read("app", (OTHER,)),
    )


def test_the_account_is_asked_for_last():
    assert merge([Read("dc", (USER,)), Read("dc", (OTHER,))]) == (Read("dc", (OTHER, USER)),)


def test_a_second_path_is_asked_about_alone():
    assert merge([Read("app", (KEY, OTHER)), Read("app", (PARENT,))]) == (
        Read("app", (KEY, OTHER)),
        Read("app", (PARENT,)),
    )


def test_a_bare_word_travels_alone():
    assert merge([Read("app", (OTHER,)), Read("app", (POOL,))]) == (Read("app", (OTHER,)), Read("app", (POOL,)))


@given(reads)
def test_everything_is_asked_exactly_once(asked):
    def pairs(of):
        return Counter((read.endpoint, str(one)) for read in of for one in read.statements)

    merged = merge(asked)
    assert set(pairs(merged)) == set(pairs(asked))
    assert set(pairs(merged).values()) <= {1}


@given(reads)
def test_no_pipeline_has_two_answers_that_look_alike(asked):
    for read in merge(asked):
        names = [one.name for one in read.statements]
        assert names.count("Test-Path") <= 1
        assert not set(names) & ALONE or len(names) == 1
        assert "Get-ADUser" not in names[: len(names) - names.count("Get-ADUser")]


@given(reads)
def test_merging_again_changes_nothing(asked):
    assert sorted(map(str, merge(merge(asked)))) == sorted(map(str, merge(asked)))


def test_copies_of_two_domain_controllers_are_asked_for_apart():
    other = cmdlet("Get-ADUser", Identity="x", Server="other")
    assert merge([Read("dc", (USER,)), Read("dc", (other,)), Read("dc", (OTHER,))]) == (
        Read("dc", (OTHER, USER)),
        Read("dc", (other,)),
    )


def test_where_everything_travels_alone_nothing_empty_does():
    rights = cmdlet("Get-DmsaDescriptor", Identity="x", Server="dc")
    assert merge([Read("dc", (rights,))]) == (Read("dc", (rights,)),)
    assert merge([Read("dc", (rights, USER))]) == (Read("dc", (USER,)), Read("dc", (rights,)))
