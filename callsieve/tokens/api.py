"""API endpoints for API tokens. An answer with a token's secret is never stored, not even for an Idempotency-Key."""

from callsieve.api.endpoint import ApiRequest, endpoint
from callsieve.changes.operation import Refused
from callsieve.tokens import operations
from callsieve.tokens.operations import NewToken, TokenAdded
from reputation.users import Role, Scope

BEYOND = "a token can only grant scopes that it has itself"


async def add(req: ApiRequest, request: NewToken) -> TokenAdded:
    """Create a token for a program. Only this result contains its secret."""
    if not set(request.scopes) <= {scope.value for scope in req.context.scopes}:
        raise Refused("scope-beyond-token", BEYOND, "scopes")
    return await req.perform(operations.add, request)


ENDPOINTS = (
    endpoint("GET", "/tokens", operations.find_tokens, Scope.ADMIN, Role.ADMINISTRATOR),
    endpoint(
        "POST",
        "/tokens",
        add,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        example=NewToken("wallboard", "viewer", ("read",), "90d"),
        status=201,
        keeps_answer=False,
    ),
    endpoint("GET", "/tokens/{name}", operations.find_token, Scope.ADMIN, Role.ADMINISTRATOR),
    endpoint("DELETE", "/tokens/{name}", operations.revoke, Scope.ADMIN, Role.ADMINISTRATOR),
)
