"""The capability `tokens`: tokens for programs that use the API."""

from callsieve.capability import Capability, Group, Help, Undo
from reputation.users import Role
from reputation.wording import N_, Wording

CAPABILITY = Capability(
    name="tokens",
    help=(Help("token", Group.RUNNING, "Manage the tokens of programs that use the API."),),
    endpoints=("api",),
    commands={
        "token add": "cli.commands:add",
        "token list": "cli.commands:show",
        "token revoke": "cli.commands:revoke",
    },
    checks="operations:CHECKS",
    changes={
        "token add": Undo(by="callsieve.tokens.operations:TOKEN", role=Role.ADMINISTRATOR),
        "token revoke": Wording("A revoked token cannot be restored: make another one with callsieve token add NAME."),
    },
    sentences={
        "token add": N_("{who} made the token {about}"),
        "token revoke": N_("{who} revoked the token {about}"),
    },
)
