"""Our own numbers and who does not want to be called, for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callsieve.api.endpoint import Endpoint, endpoint
from callsieve.own_numbers import do_not_call, operations, views
from callsieve.own_numbers.do_not_call import WishRequest
from callsieve.own_numbers.fields import NewOwnNumber, OwnNumberEdit
from callsieve.own_numbers.operations import CheckRequest, UseRequest
from reputation.users import Role, Scope

NUMBER = "+442071838750"
NEW = NewOwnNumber(NUMBER, "Example Ltd", "appointments", trunks=("carrier",))
EDIT = OwnNumberEdit(NUMBER, "Example Ltd", "appointments", trunks=("carrier",))
WISH = WishRequest("+12015550123", note="asked on the telephone")
OWN, WISHES = "/own-numbers/{number}", "/do-not-call/{number}"


def _step(name: str, operation: Callable[..., Any], **more: Any) -> Endpoint:
    return endpoint("POST", f"{OWN}/{name}", operation, Scope.WRITE, Role.OPERATOR, **more)


ENDPOINTS = (
    endpoint("GET", "/own-numbers", views.find_own_numbers, Scope.READ, Role.OPERATOR),
    endpoint("GET", "/own-numbers/unregistered", views.find_unregistered, Scope.READ, Role.OPERATOR),
    endpoint("GET", OWN, views.find_own_number, Scope.READ, Role.OPERATOR),
    endpoint("POST", "/own-numbers", operations.add, Scope.WRITE, Role.OPERATOR, example=NEW, status=201),
    endpoint("PATCH", OWN, operations.edit, Scope.WRITE, Role.OPERATOR, example=EDIT),
    endpoint("DELETE", OWN, operations.remove, Scope.WRITE, Role.OPERATOR),
    _step("check", operations.check, example=CheckRequest(NUMBER)),
    _step("rest", operations.rest),
    _step("use", operations.use, example=UseRequest(NUMBER)),
    _step("retire", operations.retire),
    endpoint("GET", "/do-not-call", do_not_call.find_wishes, Scope.READ, Role.OPERATOR),
    endpoint("POST", "/do-not-call", do_not_call.list_number, Scope.WRITE, Role.OPERATOR, example=WISH, status=201),
    endpoint("DELETE", WISHES, do_not_call.unlist, Scope.WRITE, Role.OPERATOR),
)
