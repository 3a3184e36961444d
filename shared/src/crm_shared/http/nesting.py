"""How deep a JSON text goes, found out before it is parsed: what is nested without end costs every reader its stack."""

import re

from crm_shared.errors import FieldError, Invalid

DEEPEST = 32
_OPENING = frozenset(b"[{")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
# An unended text reaches to the end: it is looked at once, and what follows an escaped quote in it isn't tried again.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def refuse_deep(body: bytes) -> None:
    """Let pass what is nested at most 32 levels; a body with so few brackets, as most are, costs two counts.

    Raises:
        Invalid: it goes deeper.
    """
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return
    depth = 0
    for bracket in _TEXT.sub(b"", body).translate(None, _NO_BRACKET):
        depth += 1 if bracket in _OPENING else -1
        if depth > DEEPEST:
            told = f"At most {DEEPEST} levels of nesting are read."
            raise Invalid(told, code="json_too_deep", errors=(FieldError("", "json_too_deep", told),))
