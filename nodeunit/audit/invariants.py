"""The rules that no log may break. Each is one statement of `store/read/invariants.sql` that counts violations."""

import msgspec

from nodeunit.store.read.report import Snapshot

SENTENCES: dict[str, str] = {
    "claimed_only_what_was_free": "A deployment is claimed only when nobody holds it: new, or released right before.",
    "one_claim_a_round": "A round claims at most one deployment.",
    "nothing_from_online_units": "Nothing is taken from a unit that was neither declared lost nor had left.",
    "claimed_only_by_members": "A unit that was declared lost, or left, claims nothing before it joins again.",
    "versions_without_gap_or_double": "The versions of every stream are 1, 2, 3, … without gap or double.",
    "order_matches_log": "The ordering tables and the log tell the same story, version by version.",
    "claims_follow_their_round": "Every claim is preceded by its eligibility and its attempt, in one transaction.",
    "deployment_address_is_the_fold": "deployment.address and its version are what folding the whole log gives.",
    "unit_is_the_fold": "The table unit is what folding the whole log gives.",
    "held_rows_run_or_say_why": "What a living unit holds runs there, or the log says why not, a lease and 10 s later.",
}
"""The text of each rule, by its name."""


class Invariant(msgspec.Struct, frozen=True):
    """One rule, checked."""

    name: str
    sentence: str
    violations: int
    examples: list[str]
    """Up to three places of violations."""


async def check(snapshot: Snapshot) -> list[Invariant]:
    """Checks every rule on the whole log, whatever the bounds of the snapshot."""
    checked = []
    for name, sentence in SENTENCES.items():
        found = await snapshot.violations(name)
        checked.append(Invariant(name, sentence, found.violations, found.examples or []))
    return checked
