"""API endpoints of appeals."""

from collections.abc import Callable
from typing import Any

from callsieve.api.endpoint import Endpoint, endpoint
from callsieve.appeals import operations, views
from callsieve.appeals.operations import (
    AppealCodeRequest,
    AppealRequest,
    ClearRequest,
    EvidenceFile,
    EvidenceRequest,
    RulingRequest,
    WithdrawRequest,
)
from reputation.appeals import ATTACHMENT_BYTES
from reputation.users import Role, Scope

ID = "2N5RM8PK"
FILED = AppealRequest("+12015550123", "J. Doe", "j.doe@hospital.example")
RULED = RulingRequest(ID, "uphold", "It is a hospital's switchboard.")
EVIDENCE = EvidenceRequest(ID, (EvidenceFile("letter.txt", b"We are a hospital."),))
PLACE = "/appeals/{appeal}/evidence/{place}"


def _step(name: str, operation: Callable[..., Any], **more: Any) -> Endpoint:
    return endpoint("POST", f"/appeals/{{appeal}}/{name}", operation, Scope.WRITE, Role.OPERATOR, **more)


ENDPOINTS = (
    endpoint("GET", "/appeals", views.find_appeals, Scope.READ, Role.OPERATOR),
    endpoint("GET", "/appeals/{appeal}", views.find_case, Scope.READ, Role.OPERATOR),
    endpoint("POST", "/appeals", operations.file, Scope.WRITE, Role.OPERATOR, example=FILED, status=201),
    _step("accept", operations.accept),
    _step("code", operations.make_code, status=201),
    _step("prove", operations.prove, example=AppealCodeRequest(ID, "123456")),
    _step("decide", operations.decide, example=RULED),
    _step("clear", operations.clear, example=ClearRequest(ID, ("list",))),
    _step("withdraw", operations.withdraw, example=WithdrawRequest(ID)),
    _step("evidence", operations.attach, example=EVIDENCE, status=201, most_bytes=2 * ATTACHMENT_BYTES),
    endpoint("GET", PLACE, operations.fetch, Scope.READ, Role.OPERATOR, is_audited=True),
    endpoint("DELETE", PLACE, operations.detach, Scope.WRITE, Role.OPERATOR),
)
