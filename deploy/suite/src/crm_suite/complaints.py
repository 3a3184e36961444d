"""What a command says when it can't be done, and the exit code that tells a script which kind it was.

Complaint          1  it was tried, and something is wrong
├── NotRunning     3  nothing answers: no suite runs here, or the address is wrong
└── NotAllowed     4  the credential is missing, unknown, or may not do this

0 is success and 2 a command line that makes no sense, as everywhere.
"""


class Complaint(Exception):
    """It could not be done; the text says why and what to do."""

    exit_code = 1


class NotRunning(Complaint):
    """There is nothing to talk to."""

    exit_code = 3


class NotAllowed(Complaint):
    """There is, but not for this caller."""

    exit_code = 4
