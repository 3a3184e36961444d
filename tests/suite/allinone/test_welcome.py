import shlex

from rich.console import Console

from crm_suite.allinone.welcome import Addresses, curl_lines, welcome
from crm_suite.tenancy import Access

ADDRESSES = Addresses("http://127.0.0.1:8080", "http://127.0.0.1:8025", "127.0.0.1:1025")
ACCESS = Access.new("corkscrew", "Corkscrew Records")


def shown(width: int) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as caught:
        welcome(console, ADDRESSES, ACCESS, notes=["Started in 1.0 s."])
    return caught.get()


def test_lines_to_paste_are_never_wrapped() -> None:
    narrow = shown(40).splitlines()
    assert [line for line in curl_lines(ADDRESSES, ACCESS) if line not in narrow] == []


def test_lines_to_paste_are_whole_shell_words() -> None:
    for line in curl_lines(ADDRESSES, ACCESS):
        words = shlex.split(line)
        assert f"Authorization: Bearer {ACCESS.api_key}" in words
        assert words[-1].startswith("http://127.0.0.1:8080/v1/")


def test_everything_needed_to_get_in_is_shown() -> None:
    text = shown(100)
    for needed in (ACCESS.api_key, ACCESS.email, ACCESS.password, "tenant corkscrew", "http://127.0.0.1:8080/docs"):
        assert needed in text
