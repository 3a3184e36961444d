"""A job that computes beside live requests is watched while it does."""

import importlib

from crm_shared.runtime import Service


def test_the_steps_of_every_services_jobs_are_watched(service: Service) -> None:
    """`test_fairness.py` of a service runs each kind of its jobs, and says so of each."""
    folder = service.name.replace("-", "_")
    if service.jobs.handlers:
        watching = importlib.import_module(f"tests.{folder}.test_fairness")
        watching.test_every_kind_of_job_is_watched()
        assert callable(watching.test_no_job_keeps_the_event_loop_for_long)
