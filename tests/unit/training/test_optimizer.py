import pytest
from torch.optim import AdamW, Muon

from pmind.models.adapters import start_adapter
from pmind.training.optimizer import build_optimizers, set_learning_rates, split_parameters
from tests.tiny import KINDS, stock_model, wired_model


def build(model):
    return build_optimizers(model, learning_rate=1e-3, matrix_learning_rate=1e-2, weight_decay=0.1)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_muon_takes_the_layers_matrices_and_adamw_the_rest(kind, tied):
    model = stock_model(kind, tie_word_embeddings=tied)
    matrices, others = split_parameters(model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    layers = model.config.num_hidden_layers
    assert len(matrices) == 7 * layers  # q, k, v, o; gate, up, down
    assert all(names[id(parameter)].endswith("_proj.weight") for parameter in matrices)
    assert {names[id(parameter)] for parameter in others if parameter.ndim > 1} == (
        {"model.embed_tokens.weight"} if tied else {"model.embed_tokens.weight", "lm_head.weight"}
    )
    assert len(matrices) + len(others) == len(list(model.parameters()))


def test_every_parameter_is_trained_exactly_once():
    model = stock_model("qwen2")
    optimizers = build(model)
    assert [type(optimizer) for optimizer in optimizers] == [AdamW, Muon]
    trained = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    assert sorted(map(id, trained)) == sorted(map(id, model.parameters()))


def test_vectors_do_not_decay():
    for optimizer in build(stock_model("qwen2")):
        for group in optimizer.param_groups:
            vectors = [parameter.ndim == 1 for parameter in group["params"]]
            assert group["weight_decay"] == (0 if all(vectors) else 0.1)
            assert all(vectors) or not any(vectors)


def test_frozen_parameters_stay_out():
    model = stock_model("llama")
    model.get_input_embeddings().weight.requires_grad = False
    trained = [p for optimizer in build(model) for group in optimizer.param_groups for p in group["params"]]
    assert not any(parameter is model.get_input_embeddings().weight for parameter in trained)


def test_each_optimizer_follows_its_own_peak():
    optimizers = build(stock_model("llama"))
    set_learning_rates(optimizers, 0.5)
    rates = [{group["lr"] for group in optimizer.param_groups} for optimizer in optimizers]
    assert rates == [{0.0005}, {0.005}]
    set_learning_rates(optimizers, 1.0)  # shares are of the peak, not of the last rate
    assert {group["lr"] for group in optimizers[1].param_groups} == {0.01}


def test_adamw_alone_takes_every_parameter():
    model = stock_model("qwen2")
    (only,) = build_optimizers(
        model, learning_rate=1e-3, matrix_learning_rate=1e-2, weight_decay=0.1, optimizer="adamw"
    )
    assert isinstance(only, AdamW)
    trained = [p for group in only.param_groups for p in group["params"]]
    assert sorted(map(id, trained)) == sorted(map(id, model.parameters()))
    assert {group["lr"] for group in only.param_groups} == {1e-3}


def test_matrices_alone_need_no_adamw():
    model = stock_model("llama")
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.endswith("q_proj.weight")
    assert [type(optimizer) for optimizer in build(model)] == [Muon]


def test_the_factors_of_an_adapter_go_to_adamw():
    lora = {"rank": 4, "alpha": 8, "dropout": 0.0, "target_modules": "all-linear"}
    adapted = start_adapter(wired_model(), "base", **lora, rank_stabilised=False, dora=False)
    assert [type(optimizer) for optimizer in build(adapted)] == [AdamW]
