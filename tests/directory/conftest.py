"""One suite, two directories: the simulated estate, and Samba as a domain controller."""

import itertools

import pytest

from orchestrator.lab.estate import Estate, load_spec
from tests import samba
from tests.directory.copies import BASE, Copy, EstateCopy, SambaCopy

ESTATE = """
domain: {dns: corp.example, netbios: CORP, recycle_bin: false}
dcs: [{name: dc01.corp.example}]
"""
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def controller(tmp_path_factory):
    """A Samba domain controller for the whole session."""
    samba.require_samba()
    folder = tmp_path_factory.mktemp("directory")
    with samba.Samba(samba.provision(folder / "domain"), folder / "dc01", 0) as running:
        yield running


@pytest.fixture(params=["estate", pytest.param("samba", marks=pytest.mark.service)])
def copy(request) -> Copy:
    """One domain controller's copy of the directory, as an administrator sees and changes it."""
    if request.param == "estate":
        yield EstateCopy(Estate(load_spec(ESTATE)))
        return
    with SambaCopy(request.getfixturevalue("controller"), samba.ADMINISTRATOR) as connected:
        yield connected


@pytest.fixture
def ou(copy) -> str:
    """An organizational unit of this test alone."""
    dn = f"OU=test {next(_numbers)},{BASE}"
    copy.add(dn, "organizationalUnit")
    return dn


@pytest.fixture
def name() -> str:
    """A name that nobody had before; at most 15 characters with a suffix of five."""
    return f"t{next(_numbers)}"
