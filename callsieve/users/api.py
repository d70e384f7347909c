"""API endpoints for the console's users.

Requests with a password accept no Idempotency-Key, because a digest of the request would be stored.
"""

from msgspec.structs import replace

from callsieve.api.endpoint import ApiRequest, endpoint
from callsieve.users import operations
from callsieve.users.operations import NewUser, PasswordRequest, RoleChange, RoleRequest, UserChange
from callsieve.users.passwords import hashed
from reputation.users import Role, Scope

PASSWORD = "correct horse battery staple"


async def add(req: ApiRequest, request: NewUser) -> RoleChange:
    """Add a console user."""
    await req.read(operations.check_new, req.context, request)
    password = await req.state.hashing(lambda: hashed(request.password, name=request.name))
    return await req.perform(operations.add, replace(request, password=password))


async def reset_password(req: ApiRequest, request: PasswordRequest) -> UserChange:
    """Set a new password for another user, and end all their sessions."""
    await req.read(operations.other_user, req.context, request.name)
    password = await req.state.hashing(lambda: hashed(request.password, name=request.name))
    return await req.perform(operations.reset_password, replace(request, password=password))


ENDPOINTS = (
    endpoint("GET", "/users", operations.find_users, Scope.ADMIN, Role.ADMINISTRATOR),
    endpoint(
        "POST",
        "/users",
        add,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        example=NewUser("joe", "operator", "201", PASSWORD),
        status=201,
        keeps_answer=False,
    ),
    endpoint("GET", "/users/{name}", operations.find_user, Scope.ADMIN, Role.ADMINISTRATOR),
    endpoint("DELETE", "/users/{name}", operations.remove, Scope.ADMIN, Role.ADMINISTRATOR),
    endpoint(
        "PUT",
        "/users/{name}/role",
        operations.change_role,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        example=RoleRequest("joe", "viewer"),
    ),
    endpoint(
        "PUT",
        "/users/{name}/password",
        reset_password,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        example=PasswordRequest("joe", PASSWORD),
        keeps_answer=False,
    ),
    endpoint("DELETE", "/users/{name}/second-factor", operations.reset_second_factor, Scope.ADMIN, Role.ADMINISTRATOR),
)
