"""API endpoints for own numbers and the do-not-call list."""

from collections.abc import Callable
from typing import Any

from callsieve.api.endpoint import Endpoint, endpoint
from callsieve.own_numbers import do_not_call, operations, views
from callsieve.own_numbers.do_not_call import DoNotCallEntry
from callsieve.own_numbers.fields import NewOwnNumber, OwnNumberEdit
from callsieve.own_numbers.operations import CheckRequest, UseRequest
from reputation.users import Role, Scope

NUMBER = "+442071838750"
NEW = NewOwnNumber(NUMBER, "Example Ltd", "appointments", trunks=("carrier",))
EDIT = OwnNumberEdit(NUMBER, "Example Ltd", "appointments", trunks=("carrier",))
ENTRY = DoNotCallEntry("+12015550123", note="asked on the telephone")
OWN, LISTED = "/own-numbers/{number}", "/do-not-call/{number}"


def _change(name: str, operation: Callable[..., Any], **more: Any) -> Endpoint:
    return endpoint("POST", f"{OWN}/{name}", operation, Scope.WRITE, Role.OPERATOR, **more)


ENDPOINTS = (
    endpoint("GET", "/own-numbers", views.find_own_numbers, Scope.READ, Role.OPERATOR),
    endpoint("GET", "/own-numbers/unregistered", views.find_unregistered, Scope.READ, Role.OPERATOR),
    endpoint("GET", OWN, views.find_own_number, Scope.READ, Role.OPERATOR),
    endpoint("POST", "/own-numbers", operations.add, Scope.WRITE, Role.OPERATOR, example=NEW, status=201),
    endpoint("PATCH", OWN, operations.edit, Scope.WRITE, Role.OPERATOR, example=EDIT),
    endpoint("DELETE", OWN, operations.remove, Scope.WRITE, Role.OPERATOR),
    _change("check", operations.check, example=CheckRequest(NUMBER)),
    _change("rest", operations.rest),
    _change("use", operations.use, example=UseRequest(NUMBER)),
    _change("retire", operations.retire),
    endpoint("GET", "/do-not-call", do_not_call.find_requests, Scope.READ, Role.OPERATOR),
    endpoint("POST", "/do-not-call", do_not_call.list_number, Scope.WRITE, Role.OPERATOR, example=ENTRY, status=201),
    endpoint("DELETE", LISTED, do_not_call.unlist, Scope.WRITE, Role.OPERATOR),
)
