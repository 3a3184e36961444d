"""What a service is made of, and the processes that run it."""

from crm_shared.bus.handlers import Projections, Reactions, Received
from crm_shared.db.due import Due, Timers
from crm_shared.db.operations import Job, Jobs
from crm_shared.runtime.command_line import main
from crm_shared.runtime.service import Service, Slice

__all__ = ["Due", "Job", "Jobs", "Projections", "Reactions", "Received", "Service", "Slice", "Timers", "main"]
