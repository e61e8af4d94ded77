"""Equal jobs are one; what differs trains again."""

from pathlib import Path

import pytest
import yaml

from pmind.ablations.jobs import cell_jobs, in_waves, overridden, plain_setting
from pmind.ablations.kinds import KINDS
from pmind.ablations.sweeps import SWEEPS, Cell, Times
from pmind.errors import ParamsError

PARAMS = yaml.safe_load((Path(__file__).resolve().parents[3] / "params.yaml").read_text(encoding="utf-8"))
CODE = dict.fromkeys(KINDS, "code")
ALL = {"tokenizer", "groups", "pretrain", "answers"}


def jobs(setting, seed=1, code=CODE, document=PARAMS, methods=("parallel",), **more):
    return cell_jobs(document, Cell("cell", setting, **more), seed, code, methods)


def shared(first, second):
    """Kinds of job that two cells have in common."""
    return {kind for kind in {*first} & {*second} if first[kind] == second[kind]}


def test_a_cell_that_sets_the_usual_value_is_the_usual_cell():
    assert shared(jobs({}), jobs({"rope_2d_ratio": PARAMS["rope_2d_ratio"]})) == ALL


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"rope_2d_ratio": 0.5}, {"tokenizer", "groups"}),
        ({"pretrain.steps": 7}, {"tokenizer", "groups"}),
        ({"text.train_documents": 7}, {"tokenizer", "groups"}),  # losses over other tokens cannot be compared
        ({"finetune.steps": 7}, {"tokenizer", "groups", "pretrain"}),
        ({"finetune.adapter": "lora", "lora.rank": 4}, {"tokenizer", "groups", "pretrain"}),
        ({"squad.train_groups": 7}, set()),
        ({"benchmark.repeats": 9}, ALL),
        ({"lora.rank": 4}, ALL),  # of no adapter
    ],
)
def test_only_what_a_setting_reaches_runs_again(setting, expected):
    assert shared(jobs({}), jobs(setting)) == expected


def test_ranks_start_from_one_pretrained_model_and_differ():
    low, high = (jobs({"finetune.adapter": "lora", "lora.rank": rank}) for rank in (4, 8))
    assert shared(low, high) == {"tokenizer", "groups", "pretrain"}


def test_what_was_before_fine_tuning_changes_pretraining_and_what_follows():
    usual, other = jobs({}), jobs({}, before={"rope_2d_ratio": 0.0})
    assert shared(usual, other) == {"tokenizer", "groups"}
    assert other["pretrain"].document["rope_2d_ratio"] == 0.0
    assert other["answers"].document["rope_2d_ratio"] == PARAMS["rope_2d_ratio"]


def test_an_earlier_fine_tuning_comes_between_with_groups_of_its_own():
    setting = {"squad.grouping": "random", "crossbatch.train": "baseline"}
    found = jobs(setting, first={"squad.grouping": "auto", "crossbatch.train": "none"})
    assert {*found} == ALL | {"first", "first groups"}
    assert found["first"].needs == {"pretrain": found["pretrain"], "groups": found["first groups"]}
    assert found["answers"].needs == {"first": found["first"], "groups": found["groups"]}
    assert found["first groups"] != found["groups"]
    usual = jobs({"crossbatch.train": "baseline"}, first={"crossbatch.train": "none"})
    assert shared(found, usual) == {"tokenizer", "pretrain", "first", "first groups"}
    assert usual["groups"] == usual["first groups"]


def test_other_methods_are_other_answers():
    assert shared(jobs({}), jobs({}, methods=("parallel", "batch"))) == ALL - {"answers"}


def test_seeds_and_code_share_nothing():
    assert shared(jobs({}), jobs({}, seed=2)) == set()
    assert shared(jobs({}), jobs({}, code={**CODE, "answers": "new"})) == {"tokenizer", "groups", "pretrain"}


def test_waves_hold_each_job_once_after_what_it_needs():
    cells = [job for setting in ({}, {"rope_2d_ratio": 0.5}) for job in jobs(setting).values()]
    waves = in_waves(cells)
    assert [len(wave) for wave in waves] == [1, 1, 2, 2]
    done = set()
    for wave in waves:
        assert all(need in done for job in wave for need in job.needs.values())
        done |= set(wave)


def test_multiples_are_of_the_presets_value_and_shown_as_numbers():
    document = {"pretrain": {"steps": 10, "learning_rate": 0.5}}
    setting = {"pretrain.steps": Times(0.01), "pretrain.learning_rate": Times(0.5)}
    assert plain_setting(document, setting) == {"pretrain.steps": 1, "pretrain.learning_rate": 0.25}
    assert document == {"pretrain": {"steps": 10, "learning_rate": 0.5}}


@pytest.mark.parametrize("key", ["pretrain.stepps", "nothing.steps", "nothing"])
def test_an_absent_key_is_named(key):
    with pytest.raises(ParamsError, match=f"no key '{key}'"):
        overridden({"pretrain": {"steps": 1}}, {key: 2})


def test_half_of_the_steps_of_fine_tuning_are_annealed():
    annealed = next(cell for cell in SWEEPS["start"].cells if cell.label.endswith("annealed"))
    changed = overridden({"finetune": {"steps": 70, "anneal_steps": 0}}, annealed.setting)
    assert changed["finetune"] == {"steps": 70, "anneal_steps": 35}
