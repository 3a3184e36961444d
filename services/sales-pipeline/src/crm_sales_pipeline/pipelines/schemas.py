"""Pipelines over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from crm_sales_pipeline.fields import Name, Percent, Slug
from crm_sales_pipeline.identifiers import PipelineId
from crm_sales_pipeline.pipelines.domain import Canonical, Pipeline, Stage
from crm_shared.fields import DecimalField, Read, Strict, extensible
from crm_shared.http import Page
from crm_shared.ids import new_id

StageKey = Slug
CanonicalRead = Annotated[str, extensible(Canonical)]
GuardField = Annotated[str, Field(min_length=1, max_length=80)]


class StageFields(Strict):
    """One stage. `probability` left out means no opinion; `required_fields` must be filled before a deal enters."""

    key: StageKey = Field(examples=["quotation"])
    name: Name = Field(examples=["Quotation"])
    canonical: Canonical
    probability: Percent | None = None
    required_fields: Annotated[list[GuardField], Field(max_length=20)] = Field(default_factory=list[GuardField])

    def to_domain(self, position: int) -> Stage:
        """The stage at its place."""
        return Stage(
            key=self.key,
            name=self.name,
            position=position,
            canonical=self.canonical,
            probability=self.probability,
            required_fields=tuple(self.required_fields),
        )


class StageList(Strict):
    """All stages, in order."""

    stages: Annotated[list[StageFields], Field(min_length=3, max_length=50)] = Field(
        examples=[
            [
                {"key": "enquiry", "name": "Enquiry", "canonical": "open", "probability": "10"},
                {"key": "quotation", "name": "Quotation", "canonical": "ongoing", "probability": "50"},
                {"key": "won", "name": "Won", "canonical": "won"},
                {"key": "lost", "name": "Lost", "canonical": "lost"},
            ]
        ]
    )

    def to_stages(self) -> list[Stage]:
        """What the command takes."""
        return [stage.to_domain(position) for position, stage in enumerate(self.stages)]


class PipelineCreate(StageList):
    """A pipeline with its stages."""

    name: Name = Field(examples=["Direct sales"])
    is_default: bool = False

    def to_domain(self) -> Pipeline:
        """What the command takes."""
        return Pipeline(
            id=new_id(),
            name=self.name,
            is_default=self.is_default,
            active=True,
            stages=tuple(self.to_stages()),
            version=1,
        )


class PipelineUpdate(Strict):
    """What may change of a pipeline."""

    name: Name = Field(default="", examples=["Direct sales Europe"])
    is_default: bool = False
    active: bool = True

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


class StageRead(Read):
    """One stage."""

    key: str = Field(examples=["quotation"])
    name: str = Field(examples=["Quotation"])
    position: int
    canonical: CanonicalRead
    probability: DecimalField | None
    required_fields: list[str] = Field(examples=[["amount"]])

    @classmethod
    def of(cls, stage: Stage) -> "StageRead":
        """The stage as clients see it."""
        return cls(
            key=stage.key,
            name=stage.name,
            position=stage.position,
            canonical=stage.canonical,
            probability=stage.probability,
            required_fields=list(stage.required_fields),
        )


class PipelineRead(Read):
    """One pipeline."""

    id: PipelineId
    name: str = Field(examples=["Direct sales"])
    is_default: bool
    active: bool = Field(examples=[True])
    stages: list[StageRead]
    version: int

    @classmethod
    def of(cls, pipeline: Pipeline) -> "PipelineRead":
        """The pipeline as clients see it."""
        return cls(
            id=pipeline.id,
            name=pipeline.name,
            is_default=pipeline.is_default,
            active=pipeline.active,
            stages=[StageRead.of(stage) for stage in pipeline.stages],
            version=pipeline.version,
        )


class PipelinePage(Page):
    """One page of pipelines."""

    items: list[PipelineRead]
