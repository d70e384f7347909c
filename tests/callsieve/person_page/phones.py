"""Builders for people's own pages: devices that are signed in, and calls for Alice (201) and Bob (202)."""

from __future__ import annotations

import re

from httpx2 import Response

from callsieve.person_page.web.admission import COOKIE
from callsieve.web.tokens import hash_of, new_token
from policies.reasons import KEPT, Reason
from reputation.model import ListName
from reputation.store.devices import DEVICE_SECONDS, Device, start_device
from reputation.store.lists import Contact, PersonalEntry, add_contacts, set_personal_entry
from reputation.store.outcomes import record_outcome
from tests.callsieve.browsing import NOW, Browser, Console, Office
from tests.callsieve.console_calls import make_decision, make_ending

DR_RAY, SALES, BOBS, FRIEND = "+17025554207", "+17189215318", "+13125550199", "+13125550188"


class Phone(Browser):
    """The browser of one of our people. Only its cookie differs."""

    def __init__(self, console: Console, person: str, address: str = "192.0.2.8") -> None:
        bare = console.browser(address=address)
        super().__init__(bare.client, None)
        self.token = new_token()
        now = console.office.clock.now
        device = Device(0, person, now, now, now + DEVICE_SECONDS, address, "test phone")
        console.office.write(start_device, hash_of(self.token), device)
        self.client.cookies.set(COOKIE, self.token)

    def undo(self, answer: Response) -> Response:
        """Press Undo on the page that a change leads to."""
        found = re.search(r'action="/me/undo".*?name="id" value="(\d+)"', answer.text, re.DOTALL)
        assert found, "no undo is offered"
        return self.done("/me/undo", id=found[1], back="/me")


def fill(office: Office) -> None:
    """Alice was called by Dr. Ray (challenged), a salesman (labelled) and a friend of Bob's; Bob by whom he blocked."""
    ray = make_decision("7KQ2M4XA", caller=DR_RAY, callee="201")
    sales = make_decision("8KQ2M4XA", caller=SALES, callee="201", action="tag", rule="level-tag", at=NOW - 60)
    bobs = make_decision("9KQ2M4XA", caller=BOBS, callee="202", action="reject", at=NOW - 30)
    bobs = bobs._replace(rule="callee-blocklist", reason=KEPT[Reason.CALLEE_BLOCKS])
    friend = make_decision("6KQ2M4XA", caller=FRIEND, callee="201", action="allow", rule="default", at=NOW - 900)
    office.add_decisions(ray, sales, bobs, friend)
    office.write(record_outcome, make_ending(sales, answered_by="201"), NOW)
    office.write(add_contacts, "crm", [Contact(DR_RAY, "Dr. Ray", "201"), Contact(FRIEND, "Bob's friend", "202")])
    office.write(set_personal_entry, PersonalEntry("202", BOBS, ListName.BLOCK, NOW - 100))


def form_of(page: Response) -> str:
    """The token in the form of a page that nobody is signed in to."""
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page.text)
    assert found
    return found[1]


def cookie_of(answer: Response) -> str:
    """The cookie of a person's page that an answer sets, with its attributes. Empty if it sets none."""
    name = re.compile(rf"(__Host-)?{COOKIE}=")
    return next((header for header in answer.headers.get_list("set-cookie") if name.match(header)), "")
