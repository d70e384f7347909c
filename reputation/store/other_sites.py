"""Other sites: people who have names at several sites, and ignored sites. Functions that write need a transaction."""

import sqlite3
from typing import NamedTuple

from reputation.encoding import Instant
from reputation.site_names import after_site, all_of, has_mark, is_of_site, is_ours, site_of
from reputation.store.standing import Settled, refresh_many, settled_of

# The column that names a person of another site, by table. The first condition is that of the tables' indices.
PEOPLE_COLUMNS = {"mark": "reporter", "signal": "callee", "answered": "callee"}
OF_SITE = {table: f"{has_mark(column)} AND {is_of_site(column)}" for table, column in PEOPLE_COLUMNS.items()}
NEXT_NAME = {
    table: f"SELECT min({column}) FROM {table} WHERE {has_mark(column)} AND {column} > ?"
    for table, column in PEOPLE_COLUMNS.items()
}
NUMBERS_OF_SITE = " UNION ".join(f"SELECT number FROM {table} WHERE {where}" for table, where in OF_SITE.items())
NUMBERS_OF_PERSON = " UNION ".join(
    f"SELECT number FROM {table} WHERE {has_mark(column)} AND {column} = :name"
    for table, column in PEOPLE_COLUMNS.items()
)

IGNORE = "INSERT INTO ignored_site (site, at, who, reason) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
RESUME = "DELETE FROM ignored_site WHERE site = ? RETURNING site, at, who, reason"
ALL_IGNORED = "SELECT site, at, who, reason FROM ignored_site ORDER BY site"

SAME = "INSERT INTO same_person (person, human) VALUES (?, ?) ON CONFLICT (person) DO UPDATE SET human = excluded.human"
HUMAN_OF = "SELECT human FROM same_person WHERE person = ?"
NAMES_OF = "SELECT person FROM same_person WHERE human = ? ORDER BY person"
ALL_NAMES = "SELECT human, person FROM same_person ORDER BY human, person"
FORGET = "DELETE FROM same_person WHERE person = ?"

COUNTS = f"""
SELECT (SELECT count(*) FROM mark WHERE {OF_SITE["mark"]} AND verdict <> 'retracted'),
       (SELECT count(*) FROM signal WHERE {OF_SITE["signal"]}),
       (SELECT count(*) FROM answered WHERE {OF_SITE["answered"]}),
       (SELECT count(*) FROM (SELECT reporter FROM mark WHERE {OF_SITE["mark"]}
                              UNION SELECT callee FROM signal WHERE {OF_SITE["signal"]}
                              UNION SELECT callee FROM answered WHERE {OF_SITE["answered"]})),
       (SELECT count(*) FROM ({NUMBERS_OF_SITE})),
       (SELECT count(*) FROM mark WHERE {OF_SITE["mark"]} AND verdict = 'retracted'),
       (SELECT count(*) FROM mark WHERE {OF_SITE["mark"]} AND verdict = 'spam' AND EXISTS (
           SELECT 1 FROM tombstone WHERE tombstone.number = mark.number AND tombstone.reporter IN ('', mark.reporter)
              AND mark.at <= until AND {is_ours("case_id")})),
       (SELECT max(at) FROM mark WHERE {OF_SITE["mark"]})
"""
# Evidence of this site about the numbers that the other site marks, as for feeds (reputation/store/sources.py).
AGAINST = f"""
EXISTS (SELECT 1 FROM mark AS m WHERE m.number = n.number AND m.verdict = 'spam' AND {is_ours("m.reporter")})
OR EXISTS (SELECT 1 FROM signal AS s WHERE s.number = n.number AND category = 'hung-up-on' AND {is_ours("s.callee")})
OR EXISTS (SELECT 1 FROM challenge AS c WHERE c.number = n.number AND result IN ('wrong', 'silent')
              AND {is_ours("c.linkedid")})
"""
FOR = f"""
EXISTS (SELECT 1 FROM mark AS m WHERE m.number = n.number AND m.verdict = 'ok' AND {is_ours("m.reporter")})
OR EXISTS (SELECT 1 FROM talk AS t WHERE t.number = n.number AND {is_ours("t.person")})
OR EXISTS (SELECT 1 FROM signal AS s WHERE s.number = n.number AND {is_ours("s.callee")}
              AND category IN ('long-talk', 'second-talk', 'called-back'))
OR EXISTS (SELECT 1 FROM challenge AS c WHERE c.number = n.number AND result = 'passed' AND {is_ours("c.linkedid")})
"""
AGREEMENT = f"""
SELECT total(against AND NOT fine), total(fine AND NOT against), count(*)
  FROM (SELECT ({AGAINST}) AS against, ({FOR}) AS fine
          FROM (SELECT DISTINCT number FROM mark WHERE {OF_SITE["mark"]} AND verdict = 'spam') AS n)
"""


class Ignored(NamedTuple):
    """A site whose evidence is ignored.

    Attributes:
        site: The ignored site.
        at: Since when the site is ignored.
        who: The user who decided to ignore it.
        reason: Why the site is ignored.
    """

    site: str
    at: Instant
    who: str
    reason: str


class SiteFigures(NamedTuple):
    """How much evidence another site contributes, and how well this evidence agrees with this site's evidence.

    Attributes:
        site: The name of the other site.
        marks: How many marks of the other site's people are stored here, without retracted marks.
        signals: How many signals of the other site are stored here.
        answered: How many pairs of a person there and a number that the person answered are stored here.
        people: How many people made these marks, signals and answers.
        numbers: How many numbers these marks, signals and answers are about.
        retracted: How many marks the other site has retracted.
        wrong: How many of the other site's spam marks were ruled wrong by an appeal or correction here.
        last_at: When the other site last marked a number.
        marked: How many numbers the other site marks as spam.
        agreed: How many of the marked numbers have only evidence against them at this site.
        disagreed: How many of the marked numbers have only evidence for them at this site.
        settled: How many rulings here confirmed the other site's marks, and how many refuted them.
        ignored: Since when and why the evidence is ignored here; null if it is not ignored.
    """

    site: str
    marks: int
    signals: int
    answered: int
    people: int
    numbers: int
    retracted: int
    wrong: int
    last_at: Instant | None
    marked: int
    agreed: int
    disagreed: int
    settled: Settled
    ignored: Ignored | None = None


# Sites. -------------------------------------------------------------------------------------------------------


def sites_of(db: sqlite3.Connection) -> list[str]:
    """Return the other sites from which this store has rows, and the ignored sites."""
    sites = {ignored.site for ignored in ignored_of(db)}
    for sql in NEXT_NAME.values():
        after = ""
        while (name := db.execute(sql, (after,)).fetchone()[0]) is not None:
            site = site_of(name)
            after = after_site(site) if site else name
            sites.add(site)
    return sorted(sites - {""})


def numbers_of_site(db: sqlite3.Connection, site: str) -> set[str]:
    """Return all numbers about which the site has evidence."""
    return {number for (number,) in db.execute(NUMBERS_OF_SITE, {"site": site})}


def figures_of(db: sqlite3.Connection, site: str) -> SiteFigures:
    """Return how much evidence a site contributes, and how well this evidence agrees with this site's evidence."""
    marks, signals, answered, people, numbers, *later = db.execute(COUNTS, {"site": site}).fetchone()
    retracted, wrong, last_at = later
    agreed, disagreed, marked = db.execute(AGREEMENT, {"site": site}).fetchone()
    return SiteFigures(
        site=site,
        marks=marks,
        signals=signals,
        answered=answered,
        people=people,
        numbers=numbers,
        retracted=retracted,
        wrong=wrong,
        last_at=last_at,
        marked=marked,
        agreed=int(agreed),
        disagreed=int(disagreed),
        settled=settled_of(db, all_of(site)),
        ignored=next((ignored for ignored in ignored_of(db) if ignored.site == site), None),
    )


def figures_of_sites(db: sqlite3.Connection) -> list[SiteFigures]:
    """Return the figures (`figures_of`) of each other site, ordered by site name."""
    return [figures_of(db, site) for site in sites_of(db)]


def ignore_site(db: sqlite3.Connection, ignored: Ignored) -> int:
    """Stop counting the evidence of `ignored.site`. Return how many numbers that site has evidence about."""
    db.execute(IGNORE, ignored)
    return refresh_site(db, ignored.site)


def resume_site(db: sqlite3.Connection, site: str) -> Ignored | None:
    """Count the site's evidence again, and return why it was ignored. Return None if the site was not ignored."""
    resumed = next((Ignored(*row) for row in db.execute(RESUME, (site,)).fetchall()), None)
    if resumed is not None:
        refresh_site(db, site)
    return resumed


def ignored_of(db: sqlite3.Connection) -> list[Ignored]:
    """Return the ignored sites, ordered by name."""
    return [Ignored(*row) for row in db.execute(ALL_IGNORED)]


def refresh_site(db: sqlite3.Connection, site: str) -> int:
    """Recompute the standing of every number about which the site has evidence. Return how many numbers there are."""
    numbers = numbers_of_site(db, site)
    refresh_many(db, numbers)
    return len(numbers)


# People. ------------------------------------------------------------------------------------------------------


def names_of(db: sqlite3.Connection, person: str) -> list[str]:
    """Return all names of the person who has this name, including this name."""
    row = db.execute(HUMAN_OF, (person,)).fetchone()
    return [person] if row is None else [name for (name,) in db.execute(NAMES_OF, row)]


def all_same(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    """Return the names of each person who has more than one name."""
    humans: dict[str, list[str]] = {}
    for human, name in db.execute(ALL_NAMES):
        humans.setdefault(human, []).append(name)
    return [tuple(names) for names in humans.values()]


def declare_same(db: sqlite3.Connection, name: str, other: str) -> tuple[str, ...]:
    """Declare that both names belong to the same person. Return all names of this person."""
    names = sorted({*names_of(db, name), *names_of(db, other)})
    set_names(db, tuple(names))
    return tuple(names)


def set_names(db: sqlite3.Connection, names: tuple[str, ...]) -> None:
    """Store that these names belong to one person. A single name is separated from all other names."""
    human = min(names, key=lambda name: (site_of(name), name))
    if len(names) == 1:
        db.execute(FORGET, names)
    else:
        db.executemany(SAME, [(name, human) for name in names])
    refresh_people(db, names)


def refresh_people(db: sqlite3.Connection, names: tuple[str, ...]) -> None:
    """Recompute standings (sums of evidence) after a person's names have changed. `names`: all names of the person.

    A change matters only for numbers about which two of the names gave evidence. At most one name is of this site. So
    the numbers of names at other sites are enough.
    """
    numbers: set[str] = set()
    for name in names:
        if site_of(name):
            numbers.update([number for (number,) in db.execute(NUMBERS_OF_PERSON, {"name": name})])
    refresh_many(db, numbers)
