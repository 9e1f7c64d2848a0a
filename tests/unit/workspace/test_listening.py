"""The socket."""

from __future__ import annotations

from contextlib import closing

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.listening import listen, url_of


def test_any_port_is_one_of_the_loopback_interface() -> None:
    with closing(listen(0)) as bound:
        assert bound.getsockname()[0] == "127.0.0.1"
        assert url_of(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_any_port_is_the_last_one_if_it_is_free() -> None:
    with closing(listen(0)) as bound:
        last = url_of(bound)
        with closing(listen(0, last)) as other:
            assert url_of(other) != last
    with closing(listen(0, last)) as again:
        assert url_of(again) == last


@pytest.mark.parametrize("last", ["http://127.0.0.1:99999", "http://127.0.0.1:port", "http://[", ""])
def test_any_port_will_do_where_the_last_address_is_none(last: str) -> None:
    with closing(listen(0, last)) as bound:
        assert bound.getsockname()[1]


def test_a_port_that_is_taken_is_named() -> None:
    with closing(listen(0)) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"Port {port} of 127.0.0.1 cannot be used") as caught:
            listen(port)
    assert caught.value.field == "--port"
