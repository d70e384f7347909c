"""API endpoints of the allowlist and the blocklist."""

from callsieve.api.endpoint import endpoint
from callsieve.lists import operations, views
from callsieve.lists.operations import EntryRequest, PersonalRequest
from reputation.model import ListName
from reputation.users import Role, Scope

ENTRIES = "/lists/{list_name}/entries"
PERSONAL = "/people/{person}/entries"
ENTRY = EntryRequest(ListName.BLOCK, "+1900*", note="premium numbers", expires="30d")
PERSONAL_ENTRY = PersonalRequest(ListName.BLOCK, "+12015550123", "201")

ENDPOINTS = (
    endpoint("GET", ENTRIES, views.find_entries, Scope.READ, Role.OPERATOR),
    endpoint("POST", ENTRIES, operations.add, Scope.WRITE, Role.OPERATOR, example=ENTRY, status=201),
    endpoint("DELETE", ENTRIES + "/{entry}", operations.remove, Scope.WRITE, Role.OPERATOR),
    endpoint(
        "POST",
        "/lists/{list_name}/preview",
        operations.preview,
        Scope.READ,
        Role.OPERATOR,
        example=ENTRY,
        changes_nothing=True,
    ),
    endpoint("GET", PERSONAL, views.find_personal, Scope.READ, Role.OPERATOR),
    endpoint(
        "PUT", PERSONAL + "/{number}", operations.add_personal, Scope.WRITE, Role.OPERATOR, example=PERSONAL_ENTRY
    ),
    endpoint("DELETE", PERSONAL + "/{number}", operations.remove_personal, Scope.WRITE, Role.OPERATOR),
)
