"""API endpoints of feeds and their health."""

from callsieve.api.endpoint import endpoint
from callsieve.imports.feed_health import find_feeds
from reputation.users import Role, Scope

ENDPOINTS = (endpoint("GET", "/feeds", find_feeds, Scope.READ, Role.VIEWER),)
