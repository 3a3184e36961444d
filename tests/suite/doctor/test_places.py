"""Where the doctor looks."""

from pathlib import Path

from crm_suite.allinone.home import Home
from crm_suite.doctor.places import find_places
from crm_suite.topology import NAMES


def test_the_variables_of_one_process_are_its_services(tmp_path: Path) -> None:
    urls = {"DATABASE_URL": "app", "WORKER_DATABASE_URL": "worker", "BUS_URL": "bus"}
    for named in ("crm_customer", "customer"):
        places = find_places(Home(tmp_path), {**urls, "SERVICE": named})
        assert places.databases == {"customer": "worker"}
        assert places.logins == {"customer": ["worker", "app"]}
        assert places.bus == "bus"


def test_each_service_may_be_named_and_the_owner_is_asked_first(tmp_path: Path) -> None:
    urls = {
        "CUSTOMER_DATABASE_URL": "app",
        "CUSTOMER_OWNER_DATABASE_URL": "owner",
        "SALES_PIPELINE_DATABASE_URL": "sales",
        "CRM_URL": "https://crm.example",
    }
    places = find_places(Home(tmp_path), urls)
    assert places.databases == {"customer": "owner", "sales-pipeline": "sales"}
    assert places.logins == {"customer": ["app"], "sales-pipeline": ["sales"]}
    assert places.gateway == "https://crm.example"


def test_a_suite_that_runs_on_the_folder_is_found_by_itself(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert find_places(home, {}).databases == {}
    home.lock()
    try:
        home.announce({"url": "http://127.0.0.1:8080"})
        places = find_places(home, {})
    finally:
        home.release()
    assert places.embedded
    assert places.databases.keys() == NAMES.keys()
    assert places.gateway == "http://127.0.0.1:8080"
