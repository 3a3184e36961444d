"""`python -m crm_customer api | worker | migrate | revision | contracts`."""

from crm_customer.app import SERVICE
from crm_shared.runtime import main

main(SERVICE)
