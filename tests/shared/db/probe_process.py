"""The probe's api as a process of its own, to be killed: `python probe_process.py`, told by the environment."""

import uvicorn

from crm_shared.runtime.serving import make_app
from crm_shared.settings import ServiceSettings
from crm_shared.testing.probe.app import SERVICE

settings = ServiceSettings()  # pyright: ignore[reportCallIssue] # the environment fills it
uvicorn.run(make_app(SERVICE, settings), host=settings.host, port=settings.port, log_config=None, access_log=False)
