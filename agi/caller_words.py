"""The words of a caller as a phone shows them: short, on one line, and marked as the caller's own. No I/O.

    "Hi, this is Tom Baker, I'm calling about your delivery on Friday."  ->  "Says: Tom Baker, delivery Fri"

A display has 20 to 40 characters, so greetings and phrases without content are left out. A caller can say anything, so
the line begins with `Says:`, and this program's own tags at the beginning of the words are removed.
"""

from __future__ import annotations

import re

from agi.display import SAYS, Display, fitting, tidied, without_prefix

MOST_CHARACTERS = 40

_ENGLISH = (
    # Greetings.
    (
        r"\b(good (morning|afternoon|evening|day)|hello|hi there|hi|hey|yes|yeah|okay|ok|so|well|um+|uh+|er+|please)\b",
        ",",
    ),
    (r"\b(thank you( very much)?|thanks|bye( bye)?|goodbye|have a (nice|good|great) day|how are you( today)?)\b", ","),
    (r"\b(my name is|the name is|this is|it is|it's|i am|i'm|you are speaking with|speaking)\b", ","),
    # Phrases before the reason.
    (
        r"\b(and |,)*\s*(i'm |i am |i was |we are |we're )?(just |only )?(calling|phoning|ringing)( you| up| back)*"
        r"( today)?( in)?( regards?)?( about| regarding| to| because( of)?| concerning| on behalf of| from| with)?\b",
        ",",
    ),
    (r"\b(i |we )?(just )?(would like|'d like|want|wanted|need|have) to\b", ","),
    (r"\bfrom (the |a )?", ","),
    (r"\b(your|my|our|the|an|a|that|some)\b", ""),
    (r"\b(on|for) (?=(mon|tues|wednes|thurs|fri|satur|sun)day)", ""),
    (r"\b(mon|tue|wed|thu|fri|sat|sun)(day|sday|nesday|rsday|urday)\b", r"\1"),
    (r"\b(appointment)\b", "appt"),
    (r"\b(doctor\b|dr\.)", "Dr"),
)
_MANDARIN = (
    (r"(你好|您好|喂|请问|谢谢|再见|嗯|呃)", "，"),
    (r"(我的名字是|我的名字叫|我是|我叫|这里是|这边是)", "，"),
    (r"(我)?(想|要|打电话来|打电话|来电)(是|问一下|问|找您|找你|找|为了|关于)*", "，"),
)
_RULES = tuple((re.compile(pattern, re.IGNORECASE), by) for pattern, by in (*_ENGLISH, *_MANDARIN))
_JOINING = re.compile(r"^(and|but|to|about)\b ?| ?\b(and|but)( i)?$|^i$", re.IGNORECASE)
_GAPS = re.compile(r"\s*[,.;:!?，。；：！？]+[\s,.;:!?，。；：！？]*")


def words_shown(words: str, display: Display) -> str:
    """Return the text that a phone shows for a caller's words, or an empty text."""
    line = without_prefix(tidied(words), display.texts())
    short = shortened(line) or line
    if not any(character.isalnum() for character in short):
        return ""
    says = display.text(SAYS, "zh" if _is_mandarin(short) else None)
    return fitting(says, short, min(display.characters, MOST_CHARACTERS))


def shortened(words: str) -> str:
    """Return the words without greetings and phrases that have no content."""
    for pattern, by in _RULES:
        words = pattern.sub(by, words)
    pieces = [_JOINING.sub("", " ".join(piece.split())) for piece in _GAPS.split(words)]
    comma = "，" if _is_mandarin(words) else ", "
    return comma.join(piece for piece in pieces if piece)


def _is_mandarin(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)
