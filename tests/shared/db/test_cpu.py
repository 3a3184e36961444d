"""Work in another process."""

import os
import signal

from crm_shared.db.cpu import run_in_process


def who() -> tuple[int, int]:
    return os.getpid(), os.nice(0)


async def test_work_runs_in_one_other_process_that_gives_way_to_this_one() -> None:
    pid, niceness = await run_in_process(who)
    assert pid != os.getpid()
    assert niceness > os.nice(0)
    assert await run_in_process(who) == (pid, niceness)


async def test_work_goes_on_after_its_process_was_killed() -> None:
    pid, _ = await run_in_process(who)
    os.kill(pid, signal.SIGKILL)
    after, _ = await run_in_process(who)
    assert after not in {pid, os.getpid()}
