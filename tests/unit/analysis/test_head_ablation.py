import pytest
import torch

from pmind.analysis.finished import FinishedGroup, finish, predict_answers
from pmind.analysis.head_ablation import Head, all_heads, equal_disturbance, heads_off
from pmind.analysis.head_effects import Trial, head_effects
from pmind.errors import ModelError
from pmind.models.wiring import wire
from pmind.tasks.prompts import PromptTemplate
from tests.groups import SHAPES
from tests.tiny import wired_model
from tests.unit.analysis.groups import COLUMNAR, decoder, model_of, question_groups

GROUP = FinishedGroup(*(getattr(SHAPES["ordinary"], name) for name in ("context", "prompts", "answers")))


def expected(model):
    return predict_answers(model, COLUMNAR, GROUP, 0).log_probs


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "mistral"])
def test_a_head_that_is_off_adds_nothing_and_comes_back(kind):
    model = wire(model_of(kind), COLUMNAR)
    whole = expected(model)
    with heads_off(model, [Head(1, 2), Head(0, 0)]):
        off = expected(model)
    assert torch.equal(expected(model), whole)
    assert (off - whole).abs().max() > 1e-2
    with torch.no_grad():
        for layer, head in ((1, 2), (0, 0)):
            weight = model.model.layers[layer].self_attn.o_proj.weight
            weight.unflatten(1, (4, -1))[:, head] = 0
    torch.testing.assert_close(off, expected(model), atol=1e-5, rtol=0)


def test_the_head_comes_back_after_an_error():
    model = wire(model_of("llama"), COLUMNAR)
    whole = expected(model)
    with pytest.raises(KeyError), heads_off(model, [Head(0, 1)]), equal_disturbance(model, Head(1, 1), 0):
        raise KeyError
    assert torch.equal(expected(model), whole)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


def test_a_random_disturbance_is_as_long_as_what_the_head_adds():
    model = wire(model_of("llama_gqa"), COLUMNAR)
    projection = model.model.layers[1].self_attn.o_proj
    mixed = torch.randn(1, 7, projection.in_features, generator=torch.Generator().manual_seed(1))
    whole = projection(mixed)
    with heads_off(model, [Head(1, 3)]):
        added = whole - projection(mixed)
    with equal_disturbance(model, Head(1, 3), seed=5):
        taken = whole - projection(mixed)
    with equal_disturbance(model, Head(1, 3), seed=5):
        again = whole - projection(mixed)
    torch.testing.assert_close(taken.norm(dim=-1), added.norm(dim=-1))
    assert torch.equal(taken, again)
    assert torch.nn.functional.cosine_similarity(taken, added, dim=-1).abs().max() < 0.9


def test_a_head_that_does_not_exist_is_named():
    model = wire(model_of("llama"), COLUMNAR)
    for head in (Head(0, 4), Head(2, 0)):
        with pytest.raises(ModelError, match="has 2 layers of 4 heads"), heads_off(model, [head]):
            pass


def test_a_packed_model_is_refused(needs_compiler):
    with pytest.raises(ModelError, match="compiled=False"), heads_off(wired_model(compiled=True), [Head(0, 0)]):
        pass


def test_effects_compare_with_the_whole_model_and_two_controls():
    asked, groups = decoder(COLUMNAR), question_groups(3)
    trial = Trial(asked, groups, [finish(asked, group, PromptTemplate()) for group in groups], max_new_tokens=3)
    found = head_effects(trial, all_heads(asked.model), seed=1)
    assert found["questions"] == 12
    assert len(found["heads"]) == 8
    first = found["heads"][0]
    others = [row["log_likelihood_change"] for row in found["heads"][1:4]]
    assert first["others_log_likelihood_change"] == pytest.approx(sum(others) / 3, abs=1e-5)
    assert all(row["log_likelihood_change"] != row["random_log_likelihood_change"] for row in found["heads"])
    with heads_off(asked.model, [Head(0, 0)]):
        off = [predict_answers(asked.model, COLUMNAR, group, 1).log_likelihood() for group in trial.finished]
    whole = [predict_answers(asked.model, COLUMNAR, group, 1).log_likelihood() for group in trial.finished]
    change = float(torch.cat(off).mean() - torch.cat(whole).mean())
    assert first["log_likelihood_change"] == pytest.approx(change, abs=1e-5)
    assert [row["layer"] for row in found["layers"]] == [1, 2]
