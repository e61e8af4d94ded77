"""The report's sections on attention and on independence, from one file that ``stages/analyze.py`` wrote."""

from collections.abc import Mapping
from typing import Any

from pmind.reports import attention_figures, attention_tables, formats, independence_figures, independence_tables
from pmind.reports.attention_worth import worth_figure
from pmind.reports.sections import Figure, Section

SHOWN = ("architecture", "layers", "heads", "visibility", "alignment", "rope_2d_ratio", "groups", "questions", "seed")


def attention_section(content: Mapping[str, Any]) -> Section:
    """What heads read and what they are worth; ``seconds`` are left out, for they differ from run to run."""
    drawn = (
        Figure(
            "attention_roles",
            "Attention by role. The even reader reads all it may alike.",
            attention_figures.roles_figure(content),
        ),
        _optional("attention_layers", "Layer by layer.", attention_figures.layers_figure(content)),
        Figure(
            "attention_offsets",
            "Attention by columns back and branch offset; opacity is the root of the share.",
            attention_figures.offsets_figure(content),
        ),
        Figure(
            "attention_example",
            "One group: rows read columns, lines part context and branches; opacity is the root of the share.",
            attention_figures.example_figure(content["example"]),
        ),
        Figure(
            "attention_worth", "What switching a head off does to the answers, 95 % intervals.", worth_figure(content)
        ),
    )
    conditions = {key: content["conditions"][key] for key in SHOWN}
    texts = (attention_tables.finding(content), f"{formats.listed(conditions)}.")
    tables = tuple(
        table(content)
        for table in (attention_tables.heads_table, attention_tables.ablation_table, attention_tables.layers_table)
    )
    return Section("Attention and heads", texts, tables, tuple(filter(None, drawn)))


def independence_section(content: Mapping[str, Any]) -> Section:
    """What siblings do to a branch."""
    found = content["independence"]
    drawn = (
        _optional(
            "independence_branches",
            "Effect of siblings by number of branches.",
            independence_figures.branches_figure(found),
        ),
        _optional(
            "independence_distance",
            "Effect of one sibling by its distance in branch numbers.",
            independence_figures.distance_figure(found),
        ),
        _optional(
            "independence_mass",
            "Attention on a sibling and effect of changing it.",
            independence_figures.mass_figure(found),
        ),
    )
    texts = (independence_tables.finding(found), independence_tables.mass_sentence(found))
    tables = (independence_tables.changes_table(found),)
    return Section("Independence of branches", texts, tables, tuple(filter(None, drawn)))


def _optional(name: str, caption: str, svg: str | None) -> Figure | None:
    return Figure(name, caption, svg) if svg else None
