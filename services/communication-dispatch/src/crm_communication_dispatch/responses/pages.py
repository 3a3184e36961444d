"""The few pages that customers see."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;text-align:center}}
button{{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:.4rem;background:#1a56db;color:#fff}}</style></head>
<body><h1>{title}</h1>{body}</body></html>
"""


def ask() -> str:
    """A page with one button."""
    button = '<p>You will get no more messages of this kind.</p><form method="post"><button>Unsubscribe</button></form>'
    return _PAGE.format(title="Unsubscribe?", body=button)


def done() -> str:
    """What somebody sees who has unsubscribed."""
    return _PAGE.format(title="You are unsubscribed", body="<p>We will write no more messages of this kind to you.</p>")
