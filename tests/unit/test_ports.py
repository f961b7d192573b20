"""Which port a row gets: the same one again where possible, and never that of another row."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeunit.daemon.program_environment import NotYet, Ports
from nodeunit.domain.ports import port_of
from nodeunit.process.free_port import is_free


def everything(_: int) -> bool:
    return True


@given(st.lists(st.text(max_size=20), unique=True, max_size=30), st.integers(1, 60000), st.integers(30, 60))
def test_no_two_rows_have_the_same_port_and_each_keeps_its_own(keys: list[str], first: int, count: int) -> None:
    taken: dict[str, int] = {}
    last = first + count - 1
    for key in keys:
        port = port_of(key, taken, first, last, everything)
        assert port is not None
        assert first <= port <= last
        taken[key] = port
    assert len(set(taken.values())) == len(keys)
    assert {key: port_of(key, taken, first, last, everything) for key in keys} == taken


def test_a_row_tends_to_get_the_same_port_on_a_unit_that_knows_nothing_of_it() -> None:
    port = port_of("key", {}, 20_000, 29_999, everything)
    assert port_of("key", {"another": 1}, 20_000, 29_999, everything) == port


def test_a_port_that_another_program_has_is_passed_over() -> None:
    first = port_of("key", {}, 100, 102, everything)
    others = {port_of("key", {"key": first or 0}, 100, 102, lambda port: port != first)}
    assert first not in others
    assert None not in others
    assert port_of("key", {}, 100, 102, lambda _: False) is None
    assert port_of("key", {"a": 100, "b": 101, "c": 102}, 100, 102, everything) is None


def test_a_port_before_the_range_was_changed_is_not_kept() -> None:
    assert port_of("key", {"key": 5}, 100, 100, everything) == 100


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_that_is_listened_on_is_not_free(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            server.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        server.listen()
        port = server.getsockname()[1]
        assert not is_free(port)
        with socket.create_connection((address, port)), server.accept()[0] as connection:
            connection.close()  # first, so that the server's side waits for late packets
        assert not is_free(port)
    assert is_free(port)


def test_a_unit_without_a_free_port_says_so() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        ports = Ports(port, port)
        with pytest.raises(NotYet, match="NODE_UNIT_PORT_RANGE") as refused:
            ports.take("key")
        assert refused.value.reason == "no_port"
    assert ports.take("key") == port
    with pytest.raises(NotYet):
        ports.take("another")
    ports.forget_all_but([])
    assert ports.take("another") == port
