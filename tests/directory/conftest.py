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
def domain(tmp_path_factory):
    """A provisioned domain that no controller runs on."""
    samba.require_samba()
    return samba.provision(tmp_path_factory.mktemp("directory") / "domain")


@pytest.fixture(scope="session")
def controller(domain):
    """A Samba domain controller for the whole session."""
    with samba.Samba(domain, domain.parent / "dc01", 0) as running:
        yield running


@pytest.fixture(scope="session")
def cut_off(domain):
    """Another controller of the same domain, which hears nothing from the first."""
    with samba.Samba(domain, domain.parent / "dc02", 1) as running:
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
