import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pmind.analysis.clusters import cluster_heads
from pmind.analysis.finished import finish
from pmind.analysis.group_map import as_rows, branch_order, cells_of, map_group, save_weights
from pmind.analysis.head_ablation import all_heads
from pmind.analysis.model_analysis import Budget, analyze_model, pick_heads
from pmind.analysis.survey import survey_heads
from pmind.analysis.weights import read_weights
from pmind.errors import DataError
from pmind.reports.attention_sections import attention_section, independence_section
from pmind.reports.heat import parse_rows
from pmind.tasks.prompts import PromptTemplate
from tests.groups import SHAPES
from tests.unit.analysis.groups import COLUMNAR, OWN, decoder, question_groups

BUDGET = Budget(
    groups=3, branches=(2, 3), targets=1, ablation_groups=2, ablation_heads=3, example_cells=12, max_new_tokens=3
)


@pytest.fixture(scope="module", params=[COLUMNAR, OWN], ids=["columnar", "own"])
def content(request):
    found = analyze_model(decoder(request.param), question_groups(), BUDGET, seed=1, progress=False)
    return json.loads(json.dumps(found))


def test_the_content_is_whole(content):
    assert [(row["layer"], row["head"]) for row in content["heads"]] == [
        (la, he) for la in (1, 2) for he in (1, 2, 3, 4)
    ]
    assert all(sum(row["shares"].values()) == pytest.approx(1, abs=1e-3) for row in content["heads"])
    assert sum(content["even"].values()) == pytest.approx(1, abs=1e-3)
    assert sorted(head for cluster in content["clusters"] for head in cluster["heads"]) == [
        [row["layer"], row["head"]] for row in content["heads"]
    ]
    assert len(content["ablation"]["heads"]) == BUDGET.ablation_heads
    assert content["conditions"]["groups"] == 3
    for found in content["offsets"]["maps"]:
        assert parse_rows(found["cells"]).sum() == pytest.approx(1, abs=0.03)
    assert set(content["seconds"]) == {"attention", "ablation", "independence"}


def test_the_report_is_made_of_the_content_alone(content):
    attention, siblings = attention_section(content), independence_section(content)
    names = [figure.name for figure in (*attention.figures, *siblings.figures)]
    assert {"attention_roles", "attention_offsets", "attention_example", "attention_worth"} <= set(names)
    assert all(figure.svg.startswith("<svg") for figure in (*attention.figures, *siblings.figures))
    assert all(len(row) == len(table.header) for table in (*attention.tables, *siblings.tables) for row in table.rows)
    isolated = content["conditions"]["visibility"] == "isolated"
    assert siblings.texts[0].startswith("Branches do not depend") == isolated


def test_heads_that_lead_in_a_role_are_switched_off_first():
    asked = decoder(COLUMNAR)
    groups = [finish(asked, group, PromptTemplate()) for group in question_groups(2)]
    survey = survey_heads(asked.model, COLUMNAR, groups, 1)
    heads = all_heads(asked.model)
    assert pick_heads(survey, heads, 8) == heads
    (first,) = pick_heads(survey, heads, 1)
    assert heads.index(first) == int(survey.shares[..., 0].argmax())


def test_no_groups_are_refused():
    with pytest.raises(DataError, match="group stage"):
        analyze_model(decoder(COLUMNAR), [], BUDGET, seed=1, progress=False)


def test_a_map_keeps_every_rows_attention_and_shows_branches_in_one_piece():
    asked, layout = decoder(COLUMNAR), SHAPES["wildly_unequal"].layout("right")
    found = map_group(asked.model, COLUMNAR, layout, ["x"] * len(layout.token_ids), most=20)
    assert found["branch"] == sorted(found["branch"])
    assert len(found["branch"]) <= 20
    assert sum(found["sizes"]) == sum(map(len, found["text"])) == len(layout.token_ids)
    assert len(found["maps"]) == 8
    for row in found["maps"]:
        assert parse_rows(row["cells"]).sum(-1) == pytest.approx(np.ones(len(found["branch"])), abs=0.02)


def test_pooling_is_a_mean_over_readers_of_sums_over_what_they_read():
    layout = SHAPES["ordinary"].layout("right")
    cells = cells_of(layout, most=1)  # a cell a part: context, then prompt and answer of each branch
    weights = torch.rand(1, len(layout.token_ids), len(layout.token_ids))
    pooled = cells.pool(weights)
    rows, columns = (layout.branch == 2) & (layout.roles == 1), layout.branch == 0
    assert cells.part == ("c", "q", "a", "q", "a", "q", "a")
    assert pooled[0, 3, 0].item() == pytest.approx(weights[0][rows][:, columns].sum(-1).mean().item(), rel=1e-5)


def test_whole_weights_can_be_saved_in_branch_order():
    asked, layout = decoder(COLUMNAR), SHAPES["ordinary"].layout("right")
    saved, plain = {}, {}
    save_weights(asked.model, COLUMNAR, layout, saved.__setitem__)
    read_weights(asked.model, COLUMNAR, layout, plain.__setitem__)
    order = branch_order(layout)
    assert layout.branch[order].tolist() == sorted(layout.branch.tolist())
    assert torch.equal(saved[1][:, 2, 5], plain[1][:, order[2], order[5]])


def test_rows_are_read_back_as_they_were_written():
    shares = torch.tensor([[0.5, 0.0, 0.5], [0.001, 0.999, 0.0]])
    assert parse_rows(as_rows(shares)) == pytest.approx(shares.double().numpy(), abs=5e-4)


def test_clusters_take_the_name_of_what_they_read_most():
    shares = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.1, 0.9, 0], [0, 0.9, 0.1], [0.1, 0, 0.9], [0.2, 0, 0.8]])
    found = cluster_heads(shares, ("context", "self", "own"), seed=0)
    assert {cluster.name: cluster.members for cluster in found} == {"context": (0, 1), "self": (2, 3), "own": (4, 5)}
    assert [cluster.name for cluster in cluster_heads(np.ones((4, 2)), ("a", "b"), seed=0)] == ["a"]


def test_a_larger_budget_looks_at_more():
    small = replace(BUDGET, groups=2, ablation_heads=1, branches=(2,))
    found = analyze_model(decoder(COLUMNAR), question_groups(), small, seed=1, progress=False)
    assert found["conditions"]["questions"] == 8
    assert {row["branches"] for row in found["independence"]["by_branches"]} == {2}
