"""A policy's text is bounded: nobody makes the check of a policy run long or fill the memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.files import TOKEN
from policies.loader import MAX_CHAIN, MAX_RULES, load_policy, read_policy
from policies.policy import Policy, PolicyError, PolicyProblem
from policies.vocabulary import covers_prefixes


def rules(count: int) -> str:
    return "".join(
        f'[[rule]]\nname = "r{n}"\nwhen = {{ did = "+1201555{n:04}" }}\naction = "tag"\nreason = "x"\n'
        for n in range(count)
    )


def read(text: str) -> tuple[Policy | None, list[PolicyProblem]]:
    return read_policy(text, "mine", load_policy)


def test_number_of_rules_is_limited() -> None:
    policy, problems = read(rules(MAX_RULES))
    assert policy is not None
    assert len(policy.rules) == MAX_RULES
    refused, problems = read(rules(MAX_RULES + 1))
    assert refused is None
    assert [(problem.path, problem.line) for problem in problems] == [(("rule", MAX_RULES), 5 * MAX_RULES + 1)]


def test_length_of_an_extends_chain_is_limited(tmp_path: Path) -> None:
    (tmp_path / "p0.toml").write_text('extends = "cautious"\n')
    for n in range(1, MAX_CHAIN):
        (tmp_path / f"p{n}.toml").write_text(f'extends = "p{n - 1}"\n')
    assert len(load_policy(f"p{MAX_CHAIN - 2}", [tmp_path]).chain) == MAX_CHAIN
    with pytest.raises(PolicyError, match="more than"):
        load_policy(f"p{MAX_CHAIN - 1}", [tmp_path])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('x = "' + '\\"' * 100_000, id="escaped quotes"),
        pytest.param('x = """' + '\\"""' * 100_000, id="escaped triple quotes"),
        pytest.param("x = '''" + "''\"" * 100_000, id="quotes within a literal"),
        pytest.param("x = " + "[" * 300_000, id="brackets"),
    ],
)
def test_unterminated_string_is_one_token(text: str) -> None:
    """Looked for again at each quote in it, these would take hours."""
    assert len(TOKEN.findall(text)) <= 300_003
    policy, problems = read(text)
    assert (policy, len(problems)) == (None, 1)


def test_many_prefixes_are_compared_quickly() -> None:
    many = frozenset(f"+1201555{n:05}" for n in range(60_000))
    assert covers_prefixes(many, many)
    assert not covers_prefixes(many, many | {"+44"})
