"""Distinguished names: RFC 4514's own examples, and the laws of comparison."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model import dn
from orchestrator.model.dn import domain_dn, is_under, parent_dn, parse_dn, same_dn

SPECIAL = ',+"\\<>;='


def escaped(value: str) -> str:
    """Escape a value as RFC 4514, section 2.4, says."""
    text = "".join(f"\\{character}" if character in SPECIAL else character for character in value)
    text = text.replace("\0", "\\00")
    if text.startswith(("#", " ")):
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") and not text.endswith("\\ ") else text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("UID=jsmith,DC=example,DC=net", "uid=JSmith, dc=example, dc=net"),
        ("OU=Sales+CN=J.  Smith,DC=example,DC=net", "cn=j. smith+ou=SALES,DC=example,DC=net"),
        (r"CN=James \"Jim\" Smith\, III,DC=example,DC=net", r"CN=James \22Jim\22 Smith\2c III,DC=example,DC=net"),
        (r"CN=Before\0dAfter,DC=example,DC=net", "CN=Before\rAfter,DC=example,DC=net"),
        (r"CN=Lu\C4\8Di\C4\87", "CN=Lučić"),
        ("2.5.4.3=svc,DC=x", "CN=svc,OID.0.9.2342.19200300.100.1.25=x"),
        ("CN=a=b,DC=x", r"CN=a\=b,DC=x"),
        ("1.3.6.1.4.1.1466.0=#04024869", "1.3.6.1.4.1.1466.0=#04024869"),
    ],
)
def test_one_object_in_two_spellings(one: str, other: str):
    assert same_dn(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=a,OU=b,DC=x", "CN=a,DC=x"),
        (r"CN=a\,OU=b,DC=x", "CN=a,OU=b,DC=x"),
        ("CN=a,DC=x,DC=y", "CN=a,DC=y,DC=x"),
        ("CN=a,DC=x", "OU=a,DC=x"),
    ],
)
def test_two_objects(one: str, other: str):
    assert not same_dn(one, other)


@pytest.mark.parametrize(
    "text",
    ["", "svc", "CN", "CN=", "CN=a,", ",CN=a", "CN=a,,DC=x", "CN=a;DC=x", 'CN="a"', "CN=a<b", r"CN=a\q", "CN=a\\",
     r"CN=\ff", "CN=#4", "CORP\\svc", "svc@corp.example", "CN=a\0b"],
)  # fmt: skip
def test_no_name_at_all(text: str):
    with pytest.raises(ValueError, match=r"character|UTF-8"):
        parse_dn(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_an_escaped_value_is_one_value(value: str):
    ((_, parsed),) = parse_dn(f"CN={escaped(value)}")[0]
    everything_escaped = "".join(f"\\{byte:02x}" for byte in value.encode())
    assert {("cn", parsed)} == parse_dn(f"CN={everything_escaped}")[0]


@given(st.from_regex(dn._EVERYDAY, fullmatch=True))
def test_everyday_names_are_read_as_names_of_any_spelling_are(text: str):
    assert parse_dn(text) == dn._spelled_out(text)


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_a_value_error(text: str):
    try:
        name = parse_dn(text)
    except ValueError:
        return
    assert name == parse_dn(text.upper()) or not text.isascii()


def test_below():
    root = domain_dn("corp.example")
    assert root == "DC=corp,DC=example"
    assert is_under("CN=svc,OU=x, dc=CORP, dc=example", root)
    assert not is_under(root, root)
    assert not is_under("CN=svc,DC=notcorp,DC=example", root)
    assert not is_under(r"CN=svc\,DC=corp,DC=example", root)


@pytest.mark.parametrize(
    ("name", "above"),
    [
        ("CN=svc,OU=Service Accounts,DC=corp", "OU=Service Accounts,DC=corp"),
        (r"CN=Smith\, J.,OU=x,DC=corp", "OU=x,DC=corp"),
        (r"CN=back\\,OU=x,DC=corp", "OU=x,DC=corp"),
        ("CN=a+UID=b, OU=x,DC=corp", "OU=x,DC=corp"),
        ("DC=corp", ""),
    ],
)
def test_what_contains_an_object(name: str, above: str):
    assert parent_dn(name) == above


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(str.strip))
def test_whatever_a_child_is_called_it_lies_in_its_parent(value: str):
    assert same_dn(parent_dn(f"CN={escaped(value)},OU=x,DC=corp"), "OU=x,DC=corp")
