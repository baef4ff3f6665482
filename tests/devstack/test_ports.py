"""A taken port is named, with who wants it and what to do."""

import socket
from collections.abc import Iterator
from dataclasses import asdict, replace

import pytest
from devstack.ports import HOST, Ports, PortTaken, check_free, free_ports
from devstack.stack import EXTRAS, PARTS


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        yield port


def test_a_taken_port_is_named_with_its_part_and_the_way_out(taken_port: int) -> None:
    ports = replace(free_ports(), temporal_ui=taken_port)
    with pytest.raises(PortTaken) as refused:
        check_free(ports, ["postgres", "temporal"])
    message = str(refused.value)
    assert f"Port {taken_port} is taken, and temporal needs it (for its ui)" in message
    assert "--ports auto" in message


def test_a_port_of_a_part_that_is_not_started_may_be_taken(taken_port: int) -> None:
    check_free(replace(free_ports(), api=taken_port), ["postgres", "temporal"])


def test_a_server_on_every_address_takes_the_port_on_loopback_too() -> None:
    with socket.create_server(("", 0)) as server:
        ports = replace(free_ports(), smtp=server.getsockname()[1])
        with pytest.raises(PortTaken, match="mail needs it"):
            check_free(ports, ["mail"])


def test_free_ports_are_all_different() -> None:
    chosen = asdict(free_ports()).values()
    assert len(set(chosen)) == len(chosen)


def test_every_port_belongs_to_a_part() -> None:
    parts = (*PARTS, *EXTRAS)
    of_parts = [name for part in parts for name in Ports().of_part(part)]
    assert sorted(of_parts) == sorted(asdict(Ports()))
