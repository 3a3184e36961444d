"""Templates, and how names are spelled."""

import re
import textwrap
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


class Templates:
    """The folder of templates."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,  # noqa: S701 - the output is source code; what is put in comes from our own document
        )
        self._environment.filters |= {"docstring": docstring, "jsdoc": jsdoc, "words": words}

    def render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(**values)


def snake(text: str) -> str:
    return text.replace("-", "_")


def pascal(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[-_]", text))


def camel(text: str) -> str:
    joined = pascal(text)
    return joined[:1].lower() + joined[1:]


def words(tag: str) -> str:
    return tag.replace("-", " ")


def _lines(text: str, width: int) -> list[str]:
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]
    wrapped = [textwrap.wrap(paragraph, width, break_long_words=False) for paragraph in paragraphs]
    return [line for number, lines in enumerate(wrapped) for line in ([""] if number else []) + lines]


def docstring(text: str, indent: int = 0) -> str:
    """The text between a docstring's quotes, so far indented."""
    lines = [line.replace("\\", "\\\\").replace('"""', '"') for line in _lines(text, 110 - indent)]
    told = textwrap.indent("\n".join(lines), " " * indent).lstrip()
    return f"{told} " if told.endswith('"') else told


def jsdoc(text: str, indent: int = 0) -> str:
    """A documentation comment of JavaScript, so far indented."""
    lines = [line.replace("*/", "*\\/") for line in _lines(text, 110 - indent)]
    space = " " * indent
    if len(lines) == 1:
        return f"{space}/** {lines[0]} */"
    return "\n".join([f"{space}/**", *(f"{space} * {line}".rstrip() for line in lines), f"{space} */"])
