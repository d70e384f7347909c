"""Fields that many endpoints have, and the shortest answer to a write."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from callsieve.api.endpoint import ApiStruct

NUMBER_CHARACTERS = 100

NumberText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=NUMBER_CHARACTERS,
        description="E.164, or as it is dialled here.",
        examples=["+12015550123"],
    ),
]
Instant = Annotated[float, Meta(description="UTC seconds.")]
ChangeId = Annotated[int, Meta(description="Of the change in the audit; POST /changes/{change_id}/undo takes it back.")]


class Done(ApiStruct, frozen=True):
    """It is done."""

    change_id: ChangeId | None
