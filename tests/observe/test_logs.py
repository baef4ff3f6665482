"""The processes' own log streams: JSON in every line, and the ids to follow."""

from tests.observe.conftest import Seen


def test_every_line_has_a_time_a_level_and_a_service(seen: Seen) -> None:
    for service, lines in seen.logs.items():
        assert lines
        for line in lines:
            assert line["service"] == service
            assert {"timestamp", "level", "event", "logger"} <= line.keys()


def test_a_request_is_one_line_with_the_ids_of_its_order_and_trace(seen: Seen) -> None:
    lines = [line for line in seen.logs["api"] if line["event"] == "request"]
    (placed,) = (line for line in lines if line["trace_id"] == seen.trace_id)
    assert placed["order_id"] == seen.order_id
    assert (placed["method"], placed["route"]) == ("POST", "/v1/orders")
    assert placed["status"] == 201
    assert all(line["trace_id"] for line in lines)


def test_nothing_is_coloured_in_a_file(seen: Seen) -> None:
    for lines in seen.logs.values():
        assert not [line for line in lines if r"\x1b" in repr(line)]
