"""Which hosts are addresses, which addresses are public, and what a policy opens and closes."""

import json
import os
from pathlib import Path

import pytest

from backend.core.http import ANY_LOCAL, NetworkPolicy, is_public, literal_address, origin_of, refusal_of
from backend.core.network.policy import Guard

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001:db8::1",
    "2001:2::1",
    "2001:10::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:7f00:1::f7f7:f7f7",
    "2001:0:808:808::80ff:fffe",
    "2606:4700:4700::5efe:127.0.0.1",
    "2606:4700:4700::200:5efe:10.0.0.1",
    "3fff::1",
    "2620:4f:8000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "4000::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2400:3200::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
SPELLINGS_OF_LOOPBACK = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0X7F000001",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.0.0x1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "127．0．0．1",
    "１２７.0.0.1",
]
NOT_ADDRESSES = ["example.com", "localhost", "1.2.3.4.example", "0o177.0.0.1a", "q177", "xn--fiqs8s", "a-1"]
REFUSED_HOSTS = ["1.2.3.4.5", "256.1.1.1", "1.256.1.1", "4294967296", "09.1.1.1", "0x7g.1", "a.1", "1..2", "x.0x"]
REFUSED_V6 = ["fe80::1%lo", "[fe80::1%25lo]", "::g", "1:2:3", "00:00:00:00:00:ffff:7f00:0001:1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_ordinary_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", SPELLINGS_OF_LOOPBACK)
def test_every_spelling_of_an_address_is_read(host: str) -> None:
    assert literal_address(host) == "127.0.0.1"


@pytest.mark.parametrize("host", ["::1", "[::1]", "0:0::0:1", "[::1]."])
def test_every_spelling_of_a_v6_address_is_read(host: str) -> None:
    assert literal_address(host) == "::1"


@pytest.mark.parametrize("host", NOT_ADDRESSES)
def test_a_name_is_not_an_address(host: str) -> None:
    assert literal_address(host) is None


@pytest.mark.parametrize("host", REFUSED_HOSTS + REFUSED_V6)
def test_what_ends_in_a_number_and_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        literal_address(host)


@pytest.mark.parametrize("host", [*SPELLINGS_OF_LOOPBACK, *REFUSED_HOSTS, "localhost", "a.localhost.", "[::1]", "0"])
def test_a_url_of_a_private_host_is_refused_without_dns(host: str) -> None:
    assert refusal_of(f"http://{host}:8080/x", NetworkPolicy()) == "PRIVATE_ADDRESS"


@pytest.mark.parametrize(
    "url", ["ftp://a.test/", "file:///etc/passwd", "a.test", "", "http://", "http:///x", "http://127.0.0.1\\@a.test/"]
)
def test_a_url_of_another_scheme_or_without_a_host_is_refused(url: str) -> None:
    assert refusal_of(url, NetworkPolicy()) == "SCHEME_REFUSED"


@pytest.mark.parametrize(
    "url",
    ["http://a.test/", "HTTPS://a.test:8443/x?y", "http://8.8.8.8/", "http://露营.test/", "http://user:pw@a.test/"],
)
def test_an_ordinary_url_is_not_refused(url: str) -> None:
    assert refusal_of(url, NetworkPolicy()) is None


def test_an_opened_network_is_reachable_in_every_spelling() -> None:
    policy = NetworkPolicy(allow_private=("127.0.0.0/8",))

    refusals = [
        refusal_of(f"http://{host}/", policy) for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "127.1", "localhost")
    ]

    assert refusals == [None, None, None, None]


def test_opening_one_network_opens_no_other() -> None:
    policy = NetworkPolicy(allow_private=("127.0.0.7/32",))

    assert refusal_of("http://127.0.0.1/", policy) == "PRIVATE_ADDRESS"


def test_a_network_that_is_none_stops_the_policy() -> None:
    with pytest.raises(ValueError, match="127"):
        NetworkPolicy(allow_private=("127.0.0.1/64",))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"])
def test_our_own_port_is_denied_on_every_local_address_whatever_is_open(address: str) -> None:
    policy = NetworkPolicy(allow_private=("0.0.0.0/0", "::/0"), denied=frozenset({(ANY_LOCAL, 8888)}))
    guard = Guard(policy, is_private_open=True)

    assert (guard.allows(address, 8888), guard.allows(address, 8889)) == (False, True)


def test_a_denied_address_and_port_is_denied_in_its_mapped_form_too() -> None:
    guard = Guard(NetworkPolicy(denied=frozenset({("10.0.0.5", 6379)})), is_private_open=True)

    allowed = [guard.allows(a, p) for a, p in [("10.0.0.5", 6379), ("::ffff:10.0.0.5", 6379), ("10.0.0.5", 80)]]

    assert allowed == [False, False, True]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://a.test/x?y", "http://a.test:80"),
        ("HTTPS://A.test", "https://a.test:443"),
        ("https://a.test.:8443/", "https://a.test:8443"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_an_origin_names_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_a_trusted_origin_is_recognised_however_it_is_spelt() -> None:
    policy = NetworkPolicy(trusted_origins=frozenset({"http://10.0.0.5/v1"}))

    assert (policy.trusts("http://10.0.0.5:80"), policy.trusts("http://10.0.0.5:81")) == (True, False)


def test_the_corpus_of_hostile_urls_is_refused() -> None:
    folder = os.environ.get("MEDIACRAWER_TEST_DATA")
    if folder is None:
        pytest.skip("MEDIACRAWER_TEST_DATA names no folder of test data")
    cases = json.loads(Path(folder, "hostile", "ssrf_cases.json").read_text("utf-8"))
    visible = [case["url"] for case in cases if case["kind"] != "hostname" and case["expect"] == "reject"]

    passed = [url for url in visible if refusal_of(url, NetworkPolicy()) is None]

    assert passed == []
