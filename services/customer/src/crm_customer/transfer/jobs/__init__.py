"""Long work of this slice: imports of customers and purchases, and publishing everybody anew."""

from crm_customer.transfer import commands
from crm_customer.transfer.domain import ImportKind
from crm_customer.transfer.jobs.customers import import_customers
from crm_customer.transfer.jobs.purchases import import_purchases
from crm_customer.transfer.jobs.republishing import republish
from crm_shared.db.operations import Jobs

JOBS = Jobs()
JOBS.on(commands.OPERATIONS[ImportKind.CUSTOMERS])(import_customers)
JOBS.on(commands.OPERATIONS[ImportKind.PURCHASES])(import_purchases)
JOBS.on(commands.REPUBLISHING)(republish)

__all__ = ["JOBS"]
