"""API endpoints of the audit: search changes and undo them."""

import sqlite3
from http import HTTPStatus

from callsieve.api.endpoint import endpoint
from callsieve.api.problem import ApiError
from callsieve.audit.views import ChangeKey, find_changes, kept_change, show_change
from callsieve.changes import undo
from callsieve.changes.operation import Context
from callsieve.changes.undo import Undone, UndoRequest, is_administrators
from reputation.users import Role, Scope


def undo_change(db: sqlite3.Connection, context: Context, request: ChangeKey) -> Undone:
    """Undo a change or a whole import. If only administrators may make the change, the scope `admin` is needed."""
    kept = kept_change(db, request)
    if is_administrators(context.changes, kept.row.what) and Scope.ADMIN not in context.scopes:
        raise ApiError(HTTPStatus.FORBIDDEN, "wrong-scope", f"undoing this change needs the scope {Scope.ADMIN}")
    return undo.undo(db, context, UndoRequest(kept.id))


ENDPOINTS = (
    endpoint("GET", "/changes", find_changes, Scope.READ, Role.ADMINISTRATOR),
    endpoint("GET", "/changes/{change_id}", show_change, Scope.READ, Role.ADMINISTRATOR),
    endpoint("POST", "/changes/{change_id}/undo", undo_change, Scope.WRITE, Role.OPERATOR),
)
