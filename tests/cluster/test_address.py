"""How a broker is written, and what is refused: passwords in URLs, and connections that anybody can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cluster.address import BrokerAddress, broker_address, broker_password
from orchestrator.errors import InputInvalid


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("amqps://dmsa-emea@mq.corp.example/dmsa", BrokerAddress("mq.corp.example", 5671, "dmsa-emea", "dmsa", True)),
        ("amqps://d@[2001:db8::1]:5999/a%2Fb", BrokerAddress("2001:db8::1", 5999, "d", "a/b", True)),
        ("amqp://d%40corp@localhost", BrokerAddress("localhost", 5672, "d@corp", "/", False)),
        ("amqp://d@127.9.9.9:1/x", BrokerAddress("127.9.9.9", 1, "d", "x", False)),
        ("amqp://d@[::1]/x", BrokerAddress("::1", 5672, "d", "x", False)),
    ],
)
def test_addresses_are_read(url: str, address: BrokerAddress):
    assert broker_address(url) == address


def test_tls_asks_for_the_authority_and_the_name(tmp_path: Path):
    file = tmp_path / "ca.pem"
    file.touch()
    options = broker_address(f"amqps://d@mq.corp.example/dmsa?cacertfile={file}").tls_options()
    assert isinstance(options, dict)
    assert (options["ca_certs"], options["server_hostname"]) == (str(file), "mq.corp.example")
    assert broker_address("amqp://d@localhost/dmsa").tls_options() is False


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("amqps://d:hunter2@mq.corp.example/dmsa", "has a password in it"),
        ("amqp://d@mq.corp.example/dmsa", "has no TLS"),
        ("amqp://d@localhost.corp.example/dmsa", "has no TLS"),
        ("redis://d@localhost/dmsa", "is no broker"),
        ("amqps://mq.corp.example/dmsa", "is no broker"),
        ("amqps://d@mq:port/dmsa", "cannot be read"),
        ("amqps://d@[mq/dmsa", "cannot be read"),
        ("", "an empty text is no broker"),
        ("amqps://d@mq/dmsa?verify=verify_none", "has verify, which means nothing here"),
        ("amqps://d@mq/dmsa?cacertfile=/nowhere.pem", "/nowhere.pem, which is no file"),
        ("http://d:hunter2@mq/dmsa", "has a password in it"),
    ],
)
def test_what_cannot_be_used_is_refused_without_its_password(url: str, says: str):
    with pytest.raises(InputInvalid, match="Nothing was done") as refused:
        broker_address(url)
    assert says in f"{refused.value}"
    assert "hunter2" not in f"{refused.value}"


def test_the_password_is_a_files_first_line_or_a_variable(tmp_path: Path):
    file = tmp_path / "password"
    file.write_text("from-file\r\nmore\n")
    assert broker_password({"DMSA_BROKER_PASSWORD": "from-variable"}) == "from-variable"
    assert broker_password({"DMSA_BROKER_PASSWORD": "x", "DMSA_BROKER_PASSWORD_FILE": str(file)}) == "from-file"


@pytest.mark.parametrize("environment", [{}, {"DMSA_BROKER_PASSWORD_FILE": "/nowhere"}, {"DMSA_BROKER_PASSWORD": ""}])
def test_without_a_password_one_is_told_how_to_give_it(environment: dict[str, str]):
    with pytest.raises(InputInvalid, match=r"password.*Nothing was done"):
        broker_password(environment)
