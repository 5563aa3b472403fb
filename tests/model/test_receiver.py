"""Names of receivers: recognisable, the same every time, and without what is secret."""

import pytest

from orchestrator.model.receiver import host_of, masked, receiver_of

SECRET = "B0-very-secret"


@pytest.mark.parametrize(
    "url",
    [
        f"https://hooks.slack.com/services/{SECRET}",
        f"https://hooks.slack.com?token={SECRET}",
        f"https://hooks.slack.com#{SECRET}",
        f"https://user:{SECRET}@hooks.slack.com/x",
        f"https://{SECRET}@hooks.slack.com",
    ],
)
def test_of_a_url_the_host_and_a_hash_are_left(url):
    kept = masked(url)
    assert SECRET not in kept + receiver_of(url)
    assert kept.startswith("https://hooks.slack.com/#sha256-")
    assert receiver_of(url).startswith("hooks.slack.com#")
    assert masked(kept) == kept
    assert receiver_of(kept) == receiver_of(url)


@pytest.mark.parametrize("reference", ["${env:TEAMS_URL}", "${file:secrets/teams}", "${keyring:dmsa/teams}"])
def test_a_reference_is_no_secret(reference):
    assert masked(reference) == reference
    assert receiver_of(reference) == reference[2:-1]


def test_two_urls_of_one_host_are_two_receivers():
    assert receiver_of("https://a.example/1") != receiver_of("https://a.example/2")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.Example:443/x", "a.example"),
        ("http://[::1]:80/x", "::1"),
        ("https://u:p@b.example?x", "b.example"),
        ("nonsense", ""),
    ],
)
def test_the_host_of_a_url(url, host):
    assert host_of(url) == host
