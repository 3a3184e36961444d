import socket

import pytest

from crm_suite.allinone.listening import PortTaken, free_port_after, listen, listen_somewhere, port_of


def test_a_taken_port_names_itself_and_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = port_of(taken)
        with pytest.raises(PortTaken) as told:
            listen("the gateway", "127.0.0.1", port, variable="PORT")
    assert f"Port {port} (the gateway) is taken" in str(told.value)
    assert "PORT=" in str(told.value)


def test_the_proposed_port_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen("a second", "127.0.0.1", free_port_after(port_of(taken)), variable="PORT").close()


def test_what_only_the_table_names_goes_elsewhere() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = listen_somewhere("127.0.0.1", port_of(taken))
        assert port_of(other) not in {0, port_of(taken)}
        other.close()
