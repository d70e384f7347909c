"""Who takes complaints about calls, and what each asks for, as far as it was read and when. Data.

What an authority asks for changes. Each field says where it was read; what could not be read is said to the reader
(`not_read`), who then goes by the authority's own form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reputation.wording import Wording

READ = "2026-11-27"


class ComplaintFieldKind(StrEnum):
    """What a field of a complaint is about, as far as we can know it or not."""

    CALLER = "caller"
    CALLED_AT = "called-at"
    OUR_NUMBER = "our-number"
    TALKED = "talked"
    KIND = "kind"
    RECORDED = "recorded"
    DESCRIPTION = "description"
    YOURS = "yours"  # what only the person who complains knows


@dataclass(frozen=True, slots=True)
class ComplaintField:
    """A field, in our words. `required`: we have read that it must be filled in."""

    kind: ComplaintFieldKind
    label: Wording
    required: bool = False


@dataclass(frozen=True, slots=True)
class ComplaintSource:
    """What was read, on READ. `official`: it is the authority's own; else somebody tells of it."""

    title: str
    url: str
    official: bool


@dataclass(frozen=True, slots=True)
class Authority:
    """`language`: what it is written to in. `takes`: what it deals with; `not_read`: what we do not know of it."""

    name: Wording
    site: str
    language: str
    takes: Wording
    not_read: Wording
    fields: tuple[ComplaintField, ...]
    sources: tuple[ComplaintSource, ...]


_CALLER = ComplaintField(ComplaintFieldKind.CALLER, Wording("The number that called"))
_CALLED_AT = ComplaintField(ComplaintFieldKind.CALLED_AT, Wording("Date and time of the call"))
_DESCRIPTION = ComplaintField(ComplaintFieldKind.DESCRIPTION, Wording("What happened"))

AUTHORITIES: Mapping[str, Authority] = {
    "12321": Authority(
        name=Wording("12321, China's centre for complaints about spam"),
        site="https://www.12321.cn",
        language="zh",
        takes=Wording("Unwanted and fraudulent calls to numbers in mainland China."),
        not_read=Wording("Its own form was not read: it wants a mobile number and a code that it sends there."),
        fields=(
            _CALLER,
            _CALLED_AT,
            ComplaintField(ComplaintFieldKind.TALKED, Wording("How long the call was")),
            ComplaintField(ComplaintFieldKind.KIND, Wording("Kind of call")),
            _DESCRIPTION,
            ComplaintField(ComplaintFieldKind.OUR_NUMBER, Wording("The number that was called")),
            ComplaintField(ComplaintFieldKind.YOURS, Wording("Your mobile number, for the code")),
        ),
        sources=(
            ComplaintSource(
                "12321助你高效投诉骚扰电话",
                "https://blob.wenxiaobai.com/article/18236881-afdd-7b07-b782-030a286a74aa",
                False,
            ),
            ComplaintSource("A request of its form of 2018", "https://gist.github.com/genru", False),
        ),
    ),
    "ftc": Authority(
        name=Wording("FTC, the Federal Trade Commission of the USA"),
        site="https://www.donotcall.gov",
        language="en",
        takes=Wording(
            "Sales calls to a number that has been on the Do Not Call Registry for 31 days, and recorded messages to "
            "any number in the USA."
        ),
        not_read=Wording(
            "The steps of its form were not read, but its first page and what the State of New York says of it."
        ),
        fields=(
            ComplaintField(ComplaintFieldKind.OUR_NUMBER, Wording("The number that was called"), required=True),
            _CALLED_AT,
            _CALLER,
            ComplaintField(ComplaintFieldKind.RECORDED, Wording("A recorded message or robocall?")),
            ComplaintField(ComplaintFieldKind.KIND, Wording("What the call was about")),
            ComplaintField(
                ComplaintFieldKind.YOURS,
                Wording("Whose goods or services they were, and other numbers named"),
            ),
            ComplaintField(
                ComplaintFieldKind.YOURS,
                Wording("Had you allowed the calls, or done business with them? Since when on the registry?"),
            ),
            _DESCRIPTION,
        ),
        sources=(
            ComplaintSource(
                "Submit a Complaint", "https://complaints.donotcall.gov/complaint/complaintcheck.aspx", True
            ),
            ComplaintSource(
                "Tips to Fill out the Do Not Call Form (New York Department of State)",
                "https://dos.ny.gov/tips-fill-out-do-not-call-form",
                False,
            ),
        ),
    ),
    "ofcom": Authority(
        name=Wording("Ofcom, the regulator of the United Kingdom"),
        site="https://www.ofcom.org.uk",
        language="en",
        takes=Wording(
            "Silent and abandoned calls only. Unwanted sales calls go to the Information Commissioner's Office, fraud "
            "to Action Fraud."
        ),
        not_read=Wording("Which of its fields must be filled in was not read, nor whether the form is still the same."),
        fields=(
            ComplaintField(ComplaintFieldKind.OUR_NUMBER, Wording("The number that was called")),
            _CALLED_AT,
            _CALLER,
            ComplaintField(ComplaintFieldKind.TALKED, Wording("Silent, or cut off when it was answered?")),
            ComplaintField(ComplaintFieldKind.YOURS, Wording("The company that provides your telephone service")),
            _DESCRIPTION,
        ),
        sources=(
            ComplaintSource("Silent and Abandoned Calls Complaint Monitoring", "http://ofcom.in/2aBTHS4", True),
            ComplaintSource(
                "Nuisance call complaints systems (Scottish Government)",
                "https://www.gov.scot/publications/effectiveness-actions-reduce-harm-nuisance-calls-scotland/pages/18/",
                False,
            ),
        ),
    ),
}
