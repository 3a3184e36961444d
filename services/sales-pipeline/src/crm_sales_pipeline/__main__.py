"""`python -m crm_sales_pipeline api | worker | migrate | revision | contracts`."""

from crm_sales_pipeline.app import SERVICE
from crm_shared.runtime import main

main(SERVICE)
