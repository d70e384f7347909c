"""What becomes of people when the PBX says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.changes.operation import Context, Refused
from callsieve.people.operations import TakeoverRequest, take_over
from callsieve.settings import Loaded, Settings
from reputation.model import Person
from reputation.store.database import open_store
from reputation.store.people import all_people
from reputation.users import Role


def test_pbx_without_people_removes_no_person(tmp_path: Path) -> None:
    loaded = Loaded(settings=Settings(), file=None, state=tmp_path)
    context = Context("joe", Role.ADMINISTRATOR, 1_790_000_000.0, loaded)
    ann = Person("201", "PJSIP/201", None, None, "Ann")
    with open_store(tmp_path / "callsieve.db") as db:
        take_over(db, context, TakeoverRequest("asterisk", [ann], []))
        with pytest.raises(Refused) as refused:
            take_over(db, context, TakeoverRequest("asterisk", [], [], remove_gone=True))
        assert refused.value.code == "nobody-there"
        assert all_people(db) == [ann]
