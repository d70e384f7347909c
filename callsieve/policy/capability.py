"""The capability `policy`: rules that decide what happens to each call."""

from callsieve.capability import Capability, Entry, Group, Help, Section, Undo
from reputation.users import Role
from reputation.wording import N_

CAPABILITY = Capability(
    name="policy",
    help=(Help("policy", Group.SETTING_UP, "Check, try and activate screening policies."),),
    commands={
        "policy list": "cli.commands:list_policies",
        "policy check": "cli.commands:check",
        "policy show": "cli.commands:show",
        "policy explain": "cli.commands:explain_call",
        "policy activate": "cli.commands:activate_policy",
        "policy test": "cli.commands:try_cases",
        "policy publish": "cli.commands:publish_policy",
        "policy withdraw": "cli.commands:withdraw_policy",
        "policy accept": "cli.commands:accept_policy",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(5, Section.RULES, "/policies", N_("Policies")),),
    changes={
        "policy activate": Undo(by="callsieve.policy.operations:ACTIVE", role=Role.ADMINISTRATOR),
        "policy publish": Undo(by="callsieve.policy.operations:PUBLISHED", role=Role.ADMINISTRATOR),
        "policy withdraw": Undo(by="callsieve.policy.operations:PUBLISHED", role=Role.ADMINISTRATOR),
        "policy accept": Undo(by="callsieve.policy.operations:ACCEPTED", role=Role.ADMINISTRATOR),
    },
    sentences={
        "policy activate": N_("{who} activated the policy {about}"),
        "policy publish": N_("{who} published the policy {about} to other sites"),
        "policy withdraw": N_("{who} unpublished the policy {about}"),
        "policy accept": N_("{who} accepted the policy {about}"),
    },
    messages={
        "policy-activated": N_("The policy takes effect within two seconds."),
        "policy-accepted": N_("The policy is accepted. It decides all calls for which a setting names it."),
        "policy-told": N_("The policy is published to other sites. It takes effect where it is accepted."),
        "policy-withdrawn": N_("Unpublished the policy. Sites that accepted it keep it."),
        "draft-gone": N_("The draft is discarded. The active policy has not changed."),
    },
    has_templates=True,
    checks="catalogue:CHECKS",
)
