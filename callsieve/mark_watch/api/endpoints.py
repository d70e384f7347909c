"""API endpoints for label checks of own numbers."""

from callsieve.api.endpoint import endpoint
from callsieve.mark_watch import operations, views
from callsieve.mark_watch.operations import MOST_SCREENSHOT_BYTES, LabelCheckRequest
from reputation.users import Role, Scope

OWN = "/own-numbers/{number}"
SEEN = LabelCheckRequest("+442071838750", "Hiya", "Scam Likely", 12)

ENDPOINTS = (
    endpoint("GET", "/looks", views.find_looks, Scope.READ, Role.OPERATOR),
    endpoint("GET", OWN + "/looks", views.find_looks_of, Scope.READ, Role.OPERATOR),
    endpoint(
        "POST",
        OWN + "/looks",
        operations.record,
        Scope.WRITE,
        Role.OPERATOR,
        example=SEEN,
        status=201,
        most_bytes=2 * MOST_SCREENSHOT_BYTES,
    ),
    endpoint("GET", OWN + "/screenshots", views.find_screenshots, Scope.READ, Role.OPERATOR),
    endpoint("GET", OWN + "/screenshots/{digest}", views.find_screenshot, Scope.READ, Role.OPERATOR),
    endpoint("GET", OWN + "/suspicions", views.find_suspected, Scope.READ, Role.OPERATOR),
)
