from pathlib import Path

import pytest
import yaml

from pmind.evaluation.conditions import count_parameters, describe
from pmind.evaluation.suite import Plan
from pmind.models.settings import Settings
from pmind.params import TaskParams
from tests.tiny import KINDS, decoder_of, stock_model

SHIPPED = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8"))["squad"]
PLAN = Plan("tiny", "squad", "data/squad/dev.json", {"dtype": "float32", "device": "cpu"}, 5)


def described(decoder, plan=PLAN, **changes):
    return describe(decoder, plan, TaskParams(**SHIPPED | changes), repeats=3, confidence=0.9, processes=2)


@pytest.mark.parametrize("kind", KINDS)
def test_tied_weights_count_once(kind):
    model = stock_model(kind)
    assert count_parameters(model.config) == sum(weight.numel() for weight in model.parameters())


def test_a_packed_model_has_as_many_parameters(compiled):
    settings = Settings(rope_2d_ratio=0.5, alignment="right", visibility="columnar")
    found = described(decoder_of(settings=settings, compiled=compiled))
    assert found["parameters"] == count_parameters(stock_model().config)
    assert found["compiled_column"] == ("yes" if compiled else "no")
    assert (found["visibility"], found["alignment"], found["rope_2d_ratio"]) == ("columnar", "right", 0.5)


@pytest.mark.parametrize(
    ("source", "named"),
    [("/home/someone/race/dev.jsonl.xz", "dev.jsonl.xz"), ("race/", "race"), ("builtin", "builtin"), ("a/b:c", "b:c")],
)
def test_a_source_is_named_without_where_it_lies(source, named):
    plan = Plan("tiny", "squad", source, PLAN.settings, 5)
    assert described(decoder_of(), plan)["source"] == named


def test_how_questions_were_put_together_is_told():
    found = described(decoder_of(), grouping="random", max_questions=4, long_contexts="truncate")
    assert (found["grouping"], found["max_questions"], found["long_contexts"]) == ("random", 4, "truncate")
    assert (found["repeats"], found["confidence"], found["processes"]) == (3, 0.9, 2)
    assert found["own_prompts"] is False
