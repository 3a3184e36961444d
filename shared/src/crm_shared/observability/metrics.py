"""What this process has counted; where several processes serve one port, what all of them have."""

import os

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells prometheus_client, before its import, to count in files of this folder."""

# A second series for each counter and histogram, which Prometheus doesn't ask for.
disable_created_metrics()


def registry() -> CollectorRegistry:
    """All that is counted."""
    if SHARED_FOLDER not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)
    return together


def exposition() -> bytes:
    """All that is counted, as Prometheus reads it."""
    return generate_latest(registry())
