"""The capability `prompts`: the texts that callers and people at phones hear."""

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="prompts",
    help=(Help("prompts", Group.RUNNING, "Make, list and play the spoken prompts."),),
    commands={
        "prompts build": "cli.commands:build_prompts",
        "prompts remove": "cli.commands:remove_prompts",
        "prompts list": "cli.commands:list_prompts",
        "prompts play": "cli.commands:play_prompt",
    },
    checks="files:CHECKS",
)
