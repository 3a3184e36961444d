"""Which records a viewer sees.

An outside partner sees the records of that partner only. A principal with the scope `records:own` (which narrows, and
which no route asks for) sees the records it owns and those that nobody owns yet. Everybody else sees the tenant's.
"""

from uuid import UUID

from crm_shared.errors import Forbidden, Invalid
from crm_shared.ids import parse_id
from crm_shared.tenancy import Viewer

OWN_RECORDS_ONLY = "records:own"


def user_of(viewer: Viewer) -> UUID | None:
    """The user behind a viewer, or None for an API key or the suite itself."""
    try:
        return parse_id("usr", viewer.subject)
    except Invalid:
        return None


def restricted_to_own(viewer: Viewer) -> bool:
    """Whether this viewer sees its own records and the pool only."""
    return OWN_RECORDS_ONLY in viewer.scopes


def sees(viewer: Viewer, *, partner: str | None, owner_id: UUID | None) -> bool:
    """Whether a record that is already read may be shown; lists use the same rule in SQL."""
    if viewer.partner is not None and viewer.partner != partner:
        return False
    return not restricted_to_own(viewer) or owner_id is None or owner_id == user_of(viewer)


def partner_for(viewer: Viewer, asked: str | None) -> str | None:
    """The partner a new record belongs to: a partner's own, whatever the request says.

    Raises:
        Forbidden: a partner tried to file a record under another.
    """
    if viewer.partner is None:
        return asked
    if asked not in (None, viewer.partner):
        raise Forbidden("A partner files records as itself only.", code="partner_foreign")
    return viewer.partner
