"""The interface of a speech recogniser, and a filter for words that it invents for silence, noise and music. Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

RATE = 8000  # samples a second of a recording
SAMPLE_BYTES = 2

# Limits beyond which the words are not taken from the sound. Source: `transcribe` of openai-whisper 20240930.
NO_SPEECH = 0.6
LEAST_LOG_PROBABILITY = -1.0
# People speak at most eight words, or ten syllables, a second. Source: Pellegrino et al., Language 87 (2011), table 1.
UNITS_A_SECOND = 10.0
LEAST_SPEECH_SECONDS = 0.3
MOST_REPEATED = 3
MOST_CHARACTERS = 400
# Sentences that Whisper writes for noise, because subtitles of videos often end with them. Source: Koenecke et al.,
# "Careless Whisper", FAccT 2024, and the issues of faster-whisper.
SUBTITLES = frozenset(
    (
        "you",
        "bye",
        "byebye",
        "thankyou",
        "thanks",
        "thanksforwatching",
        "thankyouforwatching",
        "thankyouverymuch",
        "pleasesubscribe",
        "subtitlesbytheamaraorgcommunity",
        "谢谢观看",
        "谢谢大家",
        "请不吝点赞订阅转发打赏支持明镜与点点栏目",
        "字幕由amaraorg社区提供",
        "字幕志愿者",
    )
)
_WORDS = re.compile(r"[a-z0-9']+|[^\W_]", re.IGNORECASE)

Span = tuple[float, float]


class Segment(NamedTuple):
    """Recognised text, with the probability (0 to 1) that nobody speaks and the mean log-probability of its words."""

    text: str
    no_speech: float = 0.0
    log_probability: float = 0.0


class Recognised(NamedTuple):
    """The result of a recogniser. `language`: such as `en`. `speech`: the time spans with speech, in seconds."""

    segments: tuple[Segment, ...]
    language: str
    speech: tuple[Span, ...]


class Recogniser(Protocol):
    """A speech recogniser, for use by a single thread."""

    def recognise(self, samples: bytes, language: str) -> Recognised:
        """Recognise speech in 16-bit samples at RATE. `language`: the expected language; empty to detect it."""
        ...

    def speech_in(self, samples: bytes) -> tuple[Span, ...]:
        """Return the time spans with speech, in seconds from the start."""
        ...


def understood(recognised: Recognised) -> str:
    """Return the words that were recognised reliably, on one line. Empty if nobody spoke or nothing was understood."""
    seconds = seconds_of(recognised.speech)
    if seconds < LEAST_SPEECH_SECONDS:
        return ""
    counting = [
        segment.text
        for segment in recognised.segments
        if segment.no_speech <= NO_SPEECH and segment.log_probability >= LEAST_LOG_PROBABILITY
    ]
    text = " ".join(" ".join(counting).split())[:MOST_CHARACTERS]
    words = [word.lower() for word in _WORDS.findall(text)]
    is_invented = "".join(words) in SUBTITLES or len(words) > UNITS_A_SECOND * seconds or _repeats(words)
    return "" if is_invented or not words else text


def seconds_of(spans: Sequence[Span]) -> float:
    """Return the total length of the time spans, in seconds."""
    return sum(end - start for start, end in spans)


def _repeats(words: list[str]) -> bool:
    """Return whether a sequence of one to six words is repeated more than MOST_REPEATED times without a break."""
    for length in range(1, 7):
        run = 0
        for place in range(length, len(words)):
            run = run + 1 if words[place] == words[place - length] else 0
            if run >= MOST_REPEATED * length:
                return True
    return False
