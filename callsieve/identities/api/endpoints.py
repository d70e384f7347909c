"""API endpoints of identities: the owners of numbers."""

from callsieve.api.endpoint import endpoint
from callsieve.identities import operations, views
from callsieve.identities.operations import CodeRequest, IdentityRequest, ProofRequest
from reputation.users import Role, Scope

NUMBER, NAME = "+12015550123", "City Hospital"
IDENTITY = IdentityRequest(NUMBER, NAME, 2, "documents seen")
CODE, PROOF = CodeRequest(NUMBER, NAME), ProofRequest(NUMBER, "123456", NAME)
CODES, PROOFS = "/identities/{number}/code", "/identities/{number}/prove"

ENDPOINTS = (
    endpoint("GET", "/identities", views.find_identities, Scope.READ, Role.OPERATOR),
    endpoint("POST", "/identities", operations.add, Scope.WRITE, Role.OPERATOR, example=IDENTITY, status=201),
    endpoint("DELETE", "/identities/{number}", operations.remove, Scope.WRITE, Role.OPERATOR),
    endpoint("POST", CODES, operations.make_code, Scope.WRITE, Role.OPERATOR, example=CODE, status=201),
    endpoint("POST", PROOFS, operations.prove, Scope.WRITE, Role.OPERATOR, example=PROOF),
)
