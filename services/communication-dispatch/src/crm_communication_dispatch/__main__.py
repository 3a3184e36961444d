from crm_communication_dispatch.app import SERVICE
from crm_shared.runtime import main

if __name__ == "__main__":
    main(SERVICE)
