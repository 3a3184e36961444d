"""`make fuzz`: the whole campaign with a new seed each time, the suite's workers running, minutes long."""

import argparse
import sys
import time

from crm_shared.observability.logs import configure_logs
from crm_shared.testing.cluster import Cluster

from .campaign import Findings, Plan, campaign
from .house import open_house


def main() -> int:
    """Print what is done as it is done; 1 when something was found."""
    arguments = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    arguments.add_argument("--examples", type=int, default=30, help="generated requests for each operation and mode")
    arguments.add_argument("--scenarios", type=int, default=60, help="chains of requests that use each other's answers")
    arguments.add_argument("--seed", type=int, default=None, help="the same requests again")
    given = arguments.parse_args()
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    configure_logs("CRITICAL")
    cluster = Cluster.start()
    try:
        with open_house(cluster, workers=True) as house:
            plan = Plan(examples=given.examples, scenarios=given.scenarios, seed=given.seed)
            found = campaign(house, plan, tell=tell)
    finally:
        cluster.stop()
    print(found)
    _table(found)
    return 1 if found.faults or found.errors else 0


def _table(found: Findings) -> None:
    through = sum(any(status < 400 for status in got) for got in found.operations.values())
    print(f"{len(found.operations)} operations touched, {through} got through to")


if __name__ == "__main__":
    sys.exit(main())
