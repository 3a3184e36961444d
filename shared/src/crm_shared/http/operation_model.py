"""How a long job looks to clients."""

from typing import Annotated, Any

from pydantic import Field

from crm_shared.db.operations import Operation, State
from crm_shared.fields import Instant, Read, extensible
from crm_shared.ids import public_id


class OperationProblem(Read):
    """Why an operation failed."""

    code: str = Field(examples=["file_unreadable"])
    detail: str = Field(examples=["Row 17 is no JSON."])


class OperationRead(Read):
    """A long job: where it stands, how far it is, and what came of it."""

    id: str = Field(examples=["opcus_064gkndciprknf6emc10j6k0as"])
    kind: str = Field(examples=["customer.import"])
    state: Annotated[str, extensible(State)] = Field(examples=["running"])
    done: int = Field(examples=[1200])
    total: int | None = Field(examples=[5000])
    result: dict[str, Any] | None
    problem: OperationProblem | None = Field(examples=[None])
    cancel_requested: bool
    created_at: Instant
    started_at: Instant | None
    finished_at: Instant | None

    @classmethod
    def of(cls, prefix: str, operation: Operation) -> "OperationRead":
        """The client's view of an operation of the service with this id prefix."""
        return cls(
            id=public_id(prefix, operation.id),
            kind=operation.kind,
            state=operation.state,
            done=operation.done,
            total=operation.total,
            result=operation.result,
            problem=OperationProblem(**operation.problem) if operation.problem else None,
            cancel_requested=operation.cancel_requested,
            created_at=operation.created_at,
            started_at=operation.started_at,
            finished_at=operation.finished_at,
        )
