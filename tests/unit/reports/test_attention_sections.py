import copy
import json

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from pmind.errors import DataError
from pmind.reports import attention_tables, independence_tables
from pmind.reports.analyses import read_analyses
from pmind.reports.attention_figures import map_figure, offsets_figure, roles_figure
from pmind.reports.attention_sections import attention_section, independence_section
from pmind.reports.drawing import LIGHT, STAND_INS
from pmind.reports.heat import save_png

SHARES = {"context": 0.5, "self": 0.1, "own": 0.2, "siblings": 0.2, "same_place": 0.0}
FACTS = {"shares": SHARES, "previous": 0.1, "retrieval": 0.3, "entropy": 1.2, "time": 0.4, "branch": 0.6}
CHANGE = {"em_change": -0.5, "em_change_low": -0.6, "em_change_high": -0.4, "log_likelihood_change": -1.0}
RANDOM = {f"random_{name}": value / 100 for name, value in CHANGE.items()}
OFFSETS = {"columns": [0, 1, 2], "branches": ["context", -1, 0, 1]}
CELLS = ["500 . .", ". 100 .", "200 . .", ". 200 ."]


def row(kind, **more):
    said = {"answers_changed": 0.1, "answers_changed_low": 0.05, "answers_changed_high": 0.2}
    exact = {"em_before": 0.9, "em_after": 0.8, "em_change": -0.1, "em_change_low": -0.2, "em_change_high": 0.0}
    base = {"kind": kind, "branches": 4, "distance": None, "cases": 9, "kl": 0.02, "kl_max": 0.3, "kl_still": None}
    return base | {"moved": 1.0, "likeliest_changed": 0.1} | said | exact | more


CONTENT = {
    "version": 1,
    "conditions": {
        "architecture": "LlamaForCausalLM", "layers": 1, "heads": 2, "visibility": "columnar", "alignment": "right",
        "rope_2d_ratio": 0.25, "groups": 3, "questions": 12, "seed": 1,
    },
    "roles": list(SHARES),
    "even": SHARES,
    "heads": [{"layer": 1, "head": head, **FACTS, "cluster": "context"} for head in (1, 2)],
    "layers": [{"layer": 1, **FACTS}],
    "clusters": [{"name": "context", "heads": [[1, 1], [1, 2]], "shares": SHARES}],
    "offsets": OFFSETS | {"maps": [{"layer": 1, "head": head, "cells": CELLS} for head in (1, 2)]},
    "example": {
        "branch": [0, 1, 2], "column": [0, 1, 1], "part": "cqq", "sizes": [1, 1, 1], "text": ["a", "b", "c"],
        "maps": [{"layer": 1, "cells": ["1000 . .", "500 500 .", "500 . 500"]}],
    },
    "ablation": {
        "questions": 12, "em": 0.9, "log_likelihood": -0.1,
        "heads": [
            {"layer": 1, "head": 1, **CHANGE, **RANDOM, "others_em_change": 0.0, "others_log_likelihood_change": 0.0},
            {
                "layer": 1, "head": 2, **dict.fromkeys(CHANGE, 0.0), **RANDOM,
                "others_em_change": -0.5, "others_log_likelihood_change": -1.0,
            },
        ],
        "layers": [{"layer": 1, **CHANGE}],
    },
    "independence": {
        "changes": [row("planted", adopted=0.05), row("answered", kl=0.001, answers_changed=0.01)],
        "by_branches": [row("planted", branches=count, adopted=0.05) for count in (2, 4)],
        "by_distance": [row("planted", distance=distance, adopted=0.05) for distance in (1, 2)],
        "mass": {"points": [[0.1, 0.01], [0.2, 0.02]], "spearman": None, "p_value": None},
    },
}  # fmt: skip


def test_the_dearest_head_is_told_with_its_controls():
    said = attention_tables.finding(CONTENT)
    assert said.startswith("Head 1.1 carries the answers: switched off, exact match falls from 90.0 to 40.0 %")
    assert "disturbance: −0.5 points; the other heads of its layer, off one at a time: 0.0 points" in said


def test_a_head_that_costs_no_more_than_its_control_is_no_finding():
    content = copy.deepcopy(CONTENT)
    content["ablation"]["heads"][0] |= {"em_change_high": 0.01}
    assert attention_tables.finding(content).startswith("No single head's loss")


def test_the_lure_is_told_beside_its_control():
    said = independence_tables.finding(CONTENT["independence"])
    assert said.startswith("A sibling that states a wrong answer changes 10.0 % of answers, and 5.0 % adopt it; one")
    assert "its own answer changes 1.0 %" in said


def test_independent_branches_are_told_as_such():
    rows = [row("planted", kl_max=1e-12, answers_changed=0.0), row("answered", kl_max=0.0, answers_changed=0.0)]
    assert independence_tables.finding({"changes": rows}).startswith("Branches do not depend on their siblings")


def test_tables_have_a_cell_a_column():
    heads = attention_tables.heads_table(CONTENT)
    assert heads.rows[1][:3] == ("1.1", "50.0", "10.0")
    worth = attention_tables.ablation_table(CONTENT)
    assert worth.rows[0][:3] == ("1.1", "context", "−50.0 (−60.0…−40.0)")
    for table in (heads, worth, attention_tables.layers_table(CONTENT)):
        assert {len(cells) for cells in table.rows} == {len(table.header)}


def test_many_heads_become_layers():
    content = CONTENT | {"heads": CONTENT["heads"] * 20}
    assert [cells[0] for cells in attention_tables.heads_table(content).rows] == ["even reader", "layer 1"]
    assert "layer 1" in roles_figure(content)


def test_maps_show_heads_and_branches():
    drawing = offsets_figure(CONTENT)
    assert all(name in drawing for name in ("1.1", "1.2", "context", "own"))


def test_a_png_has_the_light_colours_on_white(tmp_path):
    figure = map_figure(CONTENT["example"], CONTENT["example"]["maps"])
    save_png(figure, tmp_path / "map.png")
    pixels = imread(tmp_path / "map.png")  # [height, width, 4]
    assert pixels[0, 0].tolist() == [1, 1, 1, 1]
    assert pixels[..., 3].min() == 1
    strengths = np.unique(pixels[..., 0].round(2))
    assert len(strengths) > 3  # half the attention is paler than all of it
    coloured = [artist.get_color() for artist in figure.findobj() if hasattr(artist, "get_color")]
    plain = {to_hex(colour) for colour in coloured if isinstance(colour, str)}
    assert not plain & set(STAND_INS)
    assert LIGHT[0] in plain


def test_analyses_are_read_from_their_folder(tmp_path):
    assert read_analyses(tmp_path) == ()
    (tmp_path / "analysis").mkdir()
    path = tmp_path / "analysis" / "squad.json"
    path.write_text(json.dumps(CONTENT))
    (analysis,) = read_analyses(tmp_path)
    attention, independence = attention_section(analysis.content), independence_section(analysis.content)
    assert (analysis.name, attention.title, independence.title) == (
        "squad", "Attention and heads", "Independence of branches",
    )  # fmt: skip
    path.write_text(json.dumps(CONTENT | {"version": 0}))
    with pytest.raises(DataError, match="version 0"):
        read_analyses(tmp_path)
