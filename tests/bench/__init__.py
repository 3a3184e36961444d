"""Benchmarks: each module here has `async def measure(run: Run) -> list[Figure]`.

They load only 127.0.0.1, are bounded, and stop by themselves.
"""

BENCHES = {
    "events": "commit in one service to effect in another, and what a backlog costs, over both adapters",
    "faults": "every fault of the backbone's table at full length, over both adapters",
    "gateway": "throughput through the gateway ÷ straight to the service",
    "customers": "get, list, search, create at 100,000 and 1,000,000 customers ÷ a bare reference service",
    "jobs": "a simple request beside the heaviest jobs of the suite",
    "recovery": "the whole suite killed at random moments of its demo",
    "upgrade": "the release before replaced by this one, process by process, under load",
    "routing": "routing decisions in memory, and durable offers",
    "mails": "personalised mails to a sink that is not the limit",
    "start": "cold start and memory of the whole suite",
}
"""What `crm bench NAME` measures, by module."""
