"""Tables of what heads read and what they are worth."""

from collections.abc import Mapping, Sequence
from typing import Any

from pmind.reports import formats
from pmind.reports.attention_figures import TITLES, head_name
from pmind.reports.tables import Table

MOST_HEADS = 24
REMEDY = "run `dvc repro analyze`"
CLUSTERS = (
    "Clusters: k-means on the shares, as many as give the best silhouette, named by the role on which their heads "
    "spend most."
)
RETRIEVAL = (
    "Previous token: attention on the own branch's token just before, as in the previous-token heads of Olsson et al. "
    "(2022). Retrieval: of the tokens copied from the context, the share for which the token that a head reads most is "
    "the one said next. By column, by branch: how far a head picks columns, or branches, among what branches wrote; 0 "
    "reads all alike, 1 one alone."
)
CONTROLS = (
    "`switched off` sets the head's output to zero. `as much at random` takes a vector of the same length in a random "
    "direction from its layer's output; `others of its layer` is the mean of switching off each of them. Changes of "
    "exact match in points with 95 % intervals, of likelihood in nats per token of the accepted answers."
)


def heads_table(content: Mapping[str, Any]) -> Table:
    """A row a head, or a layer where heads are many: shares, retrieval, selectivity, cluster."""
    whole = len(content["heads"]) <= MOST_HEADS
    rows = [_facts(row, content["roles"]) for row in (content["heads"] if whole else content["layers"])]
    even = ("even reader", *(formats.share(content["even"][role]) for role in content["roles"]), *[""] * 5)
    titles = (
        *(f"{TITLES[role].capitalize()}, %" for role in content["roles"]),
        "Previous token, %",
        "Retrieval, %",
        "By column",
        "By branch",
    )
    header = ("Layer.head" if whole else "Layer", *titles, "Cluster")
    return Table("What each head reads", header, (even, *rows), REMEDY, notes=(RETRIEVAL, CLUSTERS))


def ablation_table(content: Mapping[str, Any]) -> Table:
    """Heads by what switching them off costs, the dearest first, beside the controls."""
    ablation = content["ablation"]
    cluster_of = {head_name(row): row["cluster"] for row in content["heads"]}
    ordered = sorted(ablation["heads"], key=lambda row: (row["em_change"], row["log_likelihood_change"]))
    rows = tuple(
        (
            head_name(row),
            cluster_of[head_name(row)],
            formats.points(row["em_change"], row["em_change_low"], row["em_change_high"]),
            formats.points(row["random_em_change"]),
            formats.or_empty(formats.points, row["others_em_change"]),
            formats.signed(row["log_likelihood_change"], 3),
            formats.signed(row["random_log_likelihood_change"], 3),
        )
        for row in ordered[:MOST_HEADS]
    )
    caption = (
        f"What heads are worth: {ablation['questions']} questions, exact match {formats.share(ablation['em'])} % with "
        "all heads"
    )
    header = (
        *("Layer.head", "Cluster", "Switched off", "As much at random", "Others of its layer"),
        *("Likelihood, off", "Likelihood, random"),
    )
    return Table(caption, header, rows, REMEDY, labels=2, notes=(CONTROLS,))


def layers_table(content: Mapping[str, Any]) -> Table:
    """What all heads of a layer together are worth."""
    rows = tuple(
        (
            str(row["layer"]),
            formats.points(row["em_change"], row["em_change_low"], row["em_change_high"]),
            formats.signed(row["log_likelihood_change"], 3),
        )
        for row in content["ablation"]["layers"]
    )
    return Table("Whole layers of attention switched off", ("Layer", "Exact match, points", "Likelihood"), rows, REMEDY)


def finding(content: Mapping[str, Any]) -> str:
    """The dearest head in a sentence, with its controls; says so where none costs more than its controls."""
    ablation = content["ablation"]
    dearest = min(ablation["heads"], key=lambda row: row["em_change"])
    if dearest["em_change_high"] >= min(0.0, dearest["random_em_change"]):
        return "No single head's loss costs more answers than an equal random disturbance does."
    after = ablation["em"] + dearest["em_change"]
    others = dearest["others_em_change"]
    rest = (
        "" if others is None else f"; the other heads of its layer, off one at a time: {formats.points(others)} points"
    )
    return (
        f"Head {head_name(dearest)} carries the answers: switched off, exact match falls from "
        f"{formats.share(ablation['em'])} to {formats.share(after)} % on {ablation['questions']} questions; an equally "
        f"large random disturbance: {formats.points(dearest['random_em_change'])} points{rest}."
    )


def _facts(row: Mapping[str, Any], roles: Sequence[str]) -> tuple[str, ...]:
    found = (formats.share(row["previous"]), formats.share(row["retrieval"]))
    scores = (*found, formats.fixed(row["time"], 2), formats.fixed(row["branch"], 2))
    return (head_name(row), *(formats.share(row["shares"][role]) for role in roles), *scores, row.get("cluster", ""))
