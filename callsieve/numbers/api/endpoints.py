"""API endpoints that show what is known about phone numbers, and that add or remove people's marks of numbers."""

from callsieve.api.endpoint import endpoint
from callsieve.numbers import operations, profile
from callsieve.numbers.operations import PersonMark
from callsieve.numbers.profile import NumbersRequest
from reputation.users import Role, Scope

MARK = "/numbers/{number}/marks/{person}"
SPAM = PersonMark("+12015550123", "201", "spam", "scam")
NUMBERS = NumbersRequest(["+12015550123", "+442071838750"])
ENDPOINTS = (
    endpoint("GET", "/numbers/{number}", profile.look_up, Scope.READ, Role.OPERATOR),
    endpoint(
        "POST",
        "/numbers/look-up",
        profile.look_up_many,
        Scope.READ,
        Role.OPERATOR,
        example=NUMBERS,
        changes_nothing=True,
    ),
    endpoint("PUT", MARK, operations.mark_for, Scope.MARKS, Role.OPERATOR, example=SPAM),
    endpoint("DELETE", MARK, operations.unmark_for, Scope.MARKS, Role.OPERATOR),
)
