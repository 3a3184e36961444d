"""What people do with a mail: click, answer, or nothing."""

from crm_suite.demo.stage import Stage
from crm_suite.steps import Note

CLICKING = 0.30
REPLYING = 0.12
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def respond(stage: Stage, note: Note) -> None:
    """Read the caught mails as their recipients, and do what each of them would."""
