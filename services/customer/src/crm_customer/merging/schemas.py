"""Merges as clients ask for them."""

from pydantic import Field

from crm_customer.fields import CustomerId, Line
from crm_shared.fields import Strict


class MergeIn(Strict):
    """The record that is the same customer."""

    merged_id: CustomerId
    reason: Line = Field(examples=["same person, two web shop accounts"])


class UnmergeIn(Strict):
    """The record that is somebody else after all."""

    restored_id: CustomerId
