from crm_suite.cli import main

main()
