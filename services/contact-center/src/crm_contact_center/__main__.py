from crm_contact_center.app import SERVICE
from crm_shared.runtime import main

main(SERVICE)
