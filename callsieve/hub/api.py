"""API endpoints about the organisation's other sites. Changes to the hub's database are only made by commands."""

from callsieve.api.endpoint import endpoint
from callsieve.hub import site_operations
from callsieve.hub.site_operations import IgnoreRequest
from reputation.users import Role, Scope

ENDPOINTS = (
    endpoint("GET", "/sites", site_operations.find_sites, Scope.READ, Role.OPERATOR),
    endpoint(
        "POST",
        "/sites/{site}/ignore",
        site_operations.ignore,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        example=IgnoreRequest("berlin", "marks its own customers as spam"),
    ),
    endpoint("POST", "/sites/{site}/resume", site_operations.resume, Scope.ADMIN, Role.ADMINISTRATOR),
)
