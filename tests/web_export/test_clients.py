"""Whose request it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web_export.clients import client_address, key_of, networks

PROXIES = networks(["10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param("203.0.113.9", ["198.51.100.1"], "203.0.113.9", id="a stranger's header is not believed"),
        pytest.param("10.0.0.1", ["198.51.100.1"], "198.51.100.1", id="one proxy of ours"),
        pytest.param("10.0.0.1", ["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1", id="a forged left entry"),
        pytest.param("10.0.0.1", ["6.6.6.6", "198.51.100.1:4711"], "198.51.100.1", id="two headers, a port"),
        pytest.param("10.0.0.1", ["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2", id="nonsense ends at the last good hop"),
        pytest.param("10.0.0.1", [], "10.0.0.1", id="a proxy that says nothing"),
        pytest.param("::ffff:10.0.0.1", ["[2001:db8:1:2:3::4]:443"], "2001:db8:1:2::/64", id="IPv6, to its /64"),
        pytest.param("", ["198.51.100.1"], "None", id="no peer address"),
    ],
)
def test_RES_2_the_client_is_the_right_most_untrusted_address(peer: str, forwarded: list[str], client: str) -> None:
    assert key_of(client_address(peer, forwarded, PROXIES)) == client


@given(st.text(max_size=60))
def test_RES_2_nothing_to_the_left_changes_who_it_is(forged: str) -> None:
    assert key_of(client_address("10.0.0.1", [f"{forged}, 198.51.100.1"], PROXIES)) == "198.51.100.1"


def test_a_wrong_network_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"not a network|does not appear"):
        networks(["my proxy"])
