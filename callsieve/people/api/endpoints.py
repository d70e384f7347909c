"""API endpoints for people and DIDs, so that a company directory can update them."""

from callsieve.api.endpoint import endpoint
from callsieve.people import operations
from callsieve.people.operations import DidImport, DidRow, PeopleImport, PersonRow
from reputation.users import Role, Scope

MOST_BYTES = 4 << 20
ALICE = PeopleImport("directory", (PersonRow("201", name="Alice", group="sales"),))
LONDON = DidImport("directory", (DidRow("+442071838750", ("sales",)),))
PEOPLE, DIDS, WHO = "/imports/people/{source}", "/imports/dids/{source}", (Scope.ADMIN, Role.ADMINISTRATOR)

ENDPOINTS = (
    endpoint("GET", "/people", operations.find_people, Scope.READ, Role.OPERATOR),
    endpoint("GET", "/dids", operations.find_dids, Scope.READ, Role.OPERATOR),
    endpoint("POST", PEOPLE, operations.import_people, *WHO, example=ALICE, most_bytes=MOST_BYTES),
    endpoint("POST", DIDS, operations.import_dids, *WHO, example=LONDON, most_bytes=MOST_BYTES),
    endpoint("DELETE", PEOPLE, operations.remove_people, *WHO),
    endpoint("DELETE", DIDS, operations.remove_dids, *WHO),
)
