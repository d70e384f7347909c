"""API endpoints of the exchange: the subscribed companies, and the evidence that this company publishes."""

from callsieve.api.endpoint import endpoint
from callsieve.exchange import operations, views
from callsieve.exchange.operations import SubscribeRequest
from reputation.users import Role, Scope

COMPANIES, COMPANY = "/exchange/companies", "/exchange/companies/{name}"
KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
PARTNER = SubscribeRequest("partner", "https://example.com/callsieve/", KEY)
ADMIN = (Scope.ADMIN, Role.ADMINISTRATOR)

ENDPOINTS = (
    endpoint("GET", "/exchange/published", views.find_published, Scope.READ, Role.VIEWER),
    endpoint("GET", "/exchange/cleared", views.find_cleared, Scope.READ, Role.OPERATOR),
    endpoint("GET", COMPANIES, views.find_companies, Scope.READ, Role.VIEWER),
    endpoint("POST", COMPANIES, operations.subscribe, *ADMIN, example=PARTNER, status=201),
    endpoint("GET", COMPANY, views.find_company, Scope.READ, Role.VIEWER),
    endpoint("DELETE", COMPANY, operations.unsubscribe, *ADMIN),
    endpoint("POST", COMPANY + "/pause", operations.pause, *ADMIN),
    endpoint("POST", COMPANY + "/resume", operations.resume, *ADMIN),
)
