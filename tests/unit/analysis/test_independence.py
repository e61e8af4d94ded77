import random

import pytest

from pmind.analysis.finished import FinishedGroup, finish
from pmind.analysis.independence import distances, independence
from pmind.analysis.sibling_cases import CaseMaker
from pmind.analysis.sibling_changes import CHANGES, Donor, Scene
from pmind.analysis.sibling_effects import Meter
from pmind.analysis.sibling_mass import sibling_mass
from pmind.errors import DataError
from pmind.models.settings import Settings
from pmind.tasks.prompts import PromptTemplate
from tests.unit.analysis.groups import COLUMNAR, OWN, decoder, question_groups

GROUP = FinishedGroup((9, 9), ((5, 6), (7,), (8, 8, 8)), ((1,), (2,), (3,)))
DONORS = (Donor((5, 40), (41,), "like"), Donor((50,), (51,), "short"), Donor((60, 60, 60), (61,), "long"))
ISOLATED_RIGHT = Settings(visibility="isolated", alignment="right")


def scene(siblings=(1, 3)):
    return Scene(GROUP, 2, siblings, DONORS, DONORS[0])


def streams(group):
    return dict(zip(group.numbers, zip(group.prompts, group.answers, strict=True), strict=True))


@pytest.mark.parametrize("kind", CHANGES)
def test_the_watched_branch_and_the_context_stay(kind):
    after = CHANGES[kind](scene(), random.Random(0))
    assert after.context == GROUP.context
    assert streams(after)[2] == streams(GROUP)[2]
    assert streams(after) != streams(GROUP)


@pytest.mark.parametrize("kind", set(CHANGES) - {"duplicated"})
def test_siblings_that_are_not_named_stay(kind):
    after = CHANGES[kind](scene(siblings=(3,)), random.Random(0))
    assert streams(after)[1] == streams(GROUP)[1]


def test_changes_do_what_they_say():
    def after(kind):
        return streams(CHANGES[kind](scene(), random.Random(0)))

    assert after("removed").keys() == {2}
    assert after("changed") == {1: ((5, 40), (41,)), 2: ((7,), (2,)), 3: ((60, 60, 60), (61,))}  # by length
    assert after("similar")[1] == ((5, 40), (41,))
    assert after("different")[1] == ((60, 60, 60), (61,))
    assert after("permuted")[1] == ((8, 8, 8), (3,))
    assert after("duplicated")[4] in (((5, 6), (1,)), ((8, 8, 8), (3,)))
    assert ((7,), (2,)) in (after("twinned")[1], after("twinned")[3])
    assert ((7, 41), ()) in after("planted").values()
    assert ((7, 2), ()) in after("confirmed").values()
    assert {((5, 6, 1), ()), ((8, 8, 8, 3), ())} & set(after("answered").values())
    assert ((7,), (41,)) in after("misanswered").values()


def measured(settings, branches=(1, 2, 4)):
    asked, groups = decoder(settings), question_groups(3)
    finished = [finish(asked, group, PromptTemplate()) for group in groups]
    maker = CaseMaker(groups, finished, targets=1, seed=1)
    return independence(maker, Meter(asked, max_new_tokens=3), branches)


def test_isolated_branches_under_own_do_not_depend_on_siblings():
    found = measured(OWN)
    rows = [row for part in ("changes", "by_branches", "by_distance") for row in found[part]]
    assert {row["kind"] for row in rows} == set(CHANGES)
    assert max(row["kl_max"] for row in rows) < 1e-9
    assert not any(row["likeliest_changed"] or row.get("answers_changed") or row["moved"] for row in rows)
    assert not any(row.get("em_change") for row in rows)
    assert all(mass == 0 for mass, _ in found["mass"]["points"])
    assert found["mass"]["spearman"] is None


def test_isolated_branches_in_one_column_depend_on_the_longest_prompt_alone():
    rows = measured(ISOLATED_RIGHT)["changes"]
    assert any(row["moved"] > 0 and row["kl"] > 1e-6 for row in rows)
    still = [row["kl_still"] for row in rows if row["kl_still"] is not None]
    assert still
    assert max(still) < 1e-9


def test_columnar_branches_do_over_branches_and_distance():
    found = measured(COLUMNAR)
    changed = {row["branches"]: row for row in found["by_branches"] if row["kind"] == "changed"}
    assert changed.keys() == {2, 4}
    assert all(row["kl"] > 1e-4 for row in changed.values())
    assert {row["distance"] for row in found["by_distance"]} == {1, 2, 3}
    planted = next(row for row in found["changes"] if row["kind"] == "planted")
    assert 0 <= planted["adopted"] <= 1
    assert planted["em_change_low"] <= planted["em_change"] <= planted["em_change_high"]
    assert all(0 < mass < 1 for mass, _ in found["mass"]["points"])
    assert "answers_changed" not in next(row for row in found["changes"] if row["kind"] == "misanswered")


def test_the_same_seed_makes_the_same_cases():
    assert measured(COLUMNAR, (2,)) == measured(COLUMNAR, (2,))


def test_attention_between_branches_leaves_the_context_the_rest():
    asked = decoder(COLUMNAR)
    group = finish(asked, question_groups(1)[0], PromptTemplate())
    mass = sibling_mass(asked.model, COLUMNAR, group, stop_id=1)
    assert mass.shape == (4, 4)
    assert ((mass.sum(-1) > 0) & (mass.sum(-1) < 1)).all()
    alone = sibling_mass(decoder(OWN).model, OWN, group, stop_id=1)
    assert not alone[~alone.new_ones(4, 4).tril().triu().bool()].any()


def test_too_few_documents_and_questions_are_refused():
    groups = question_groups(1)
    with pytest.raises(DataError, match="two documents"):
        CaseMaker(groups, [], targets=1, seed=1)
    with pytest.raises(DataError, match=r"analyze\.branches"):
        measured(COLUMNAR, (9,))


def test_distances_beyond_the_neighbours_double():
    assert distances(2) == [1]
    assert distances(20) == [1, 2, 3, 4, 5, 6, 7, 8, 16]
