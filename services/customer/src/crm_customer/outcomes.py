"""What became of each item of a bulk request."""

from pydantic import Field

from crm_shared.errors import CrmError
from crm_shared.fields import Read
from crm_shared.http.problems import ProblemField, status_of

MAX_ITEMS = 500


class ItemProblem(Read):
    """Why an item was refused."""

    status: int = Field(examples=[422])
    code: str = Field(examples=["invalid_request"])
    detail: str = Field(examples=["The request is not valid: mend /given_name."])
    errors: list[ProblemField]

    @classmethod
    def of(cls, error: CrmError) -> "ItemProblem":
        """The client's view of a refusal."""
        fields = [ProblemField(pointer=f.pointer, code=f.code, message=f.message) for f in error.errors]
        return cls(status=status_of(error), code=error.code, detail=error.detail, errors=fields)
