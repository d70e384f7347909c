"""API endpoints of calls: decisions and their explanations."""

from callsieve.api.endpoint import endpoint
from callsieve.calls import views
from reputation.users import Role, Scope

ENDPOINTS = (
    endpoint("GET", "/decisions", views.find_decisions, Scope.READ, Role.OPERATOR),
    endpoint("GET", "/decisions/{id}", views.show_decision, Scope.READ, Role.OPERATOR),
    endpoint("GET", "/decisions/{id}/explanation", views.explain_decision, Scope.READ, Role.OPERATOR),
)
