"""Tables of how much branches depend on their siblings."""

from collections.abc import Mapping
from typing import Any

from pmind.reports import formats
from pmind.reports.attention_tables import REMEDY
from pmind.reports.independence_figures import TITLES
from pmind.reports.tables import Table

MEANING = (
    "KL of the next-token distributions over a branch's accepted answer, before ‖ after its siblings changed; answers "
    "are greedy, siblings decoding beside. `adopted`: the branch says what a sibling was made to state. Where the "
    "longest prompt changed, columns moved: that alone has an effect, and `KL, same columns` is without such cases."
)


def changes_table(content: Mapping[str, Any]) -> Table:
    """A row a kind of change, at the most branches."""
    rows = tuple(
        (
            TITLES[row["kind"]],
            str(row["cases"]),
            formats.rate(row["kl"]),
            formats.or_empty(formats.rate, row["kl_still"]),
            *_said(row),
            formats.or_empty(formats.share, row.get("adopted")),
        )
        for row in sorted(content["changes"], key=lambda row: -row["kl"])
    )
    count = content["changes"][0]["branches"]
    header = ("Siblings", "Cases", "KL", "KL, same columns", "Answers changed, %", "Exact match, points", "Adopted, %")
    return Table(f"What siblings do to a branch, {count} branches", header, rows, REMEDY, notes=(MEANING,))


def finding(content: Mapping[str, Any]) -> str:
    """The lure's effect, or that there is none, in a sentence."""
    by_kind = {row["kind"]: row for row in content["changes"]}
    most = max(row["kl_max"] for row in content["changes"])
    if most < 1e-6 and not any(row.get("answers_changed") for row in content["changes"]):
        return f"Branches do not depend on their siblings: no change moves a token by more than {most:.0e} nats."
    planted, plain = by_kind["planted"], by_kind["answered"]
    return (
        f"A sibling that states a wrong answer changes {formats.share(planted['answers_changed'])} % of answers, and "
        f"{formats.share(planted['adopted'])} % adopt it; one that states its own answer changes "
        f"{formats.share(plain['answers_changed'])} %. KL {formats.rate(planted['kl'])} against "
        f"{formats.rate(plain['kl'])} nats per token, {planted['branches']} branches, {planted['cases']} questions."
    )


def mass_sentence(content: Mapping[str, Any]) -> str:
    """Whether attention on a sibling tells what its change does."""
    mass = content["mass"]
    if mass["spearman"] is None:
        return "Attention on siblings and effect: no spread to compare."
    return (
        f"Attention on a sibling against the effect of changing it: Spearman {formats.fixed(mass['spearman'], 2)} "
        f"({formats.p_value(mass['p_value'])}) over {len(mass['points'])} cases."
    )


def _said(row: Mapping[str, Any]) -> tuple[str, str]:
    if "answers_changed" not in row:
        return "", ""
    changed = formats.share(*(row[f"answers_changed{end}"] for end in ("", "_low", "_high")))
    return changed, formats.points(*(row[f"em_change{end}"] for end in ("", "_low", "_high")))
