import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import DynamicCache

from pmind.decoding.cache import Context
from pmind.decoding.engine import decode
from pmind.decoding.options import GenerationOptions
from pmind.errors import ModelError, SettingsError
from pmind.models.settings import STOCK, Settings
from pmind.models.wiring import forward, wire
from tests.groups import SHAPES
from tests.reference import assert_close, decode_recorded, dense_logits, differ, places, stock_logits
from tests.tiny import KINDS, random_model, stock_model, wired_model

GROUP = SHAPES["ordinary"]
COLUMNAR = Settings(rope_2d_ratio=0.5, branch_stride=5, visibility="columnar", alignment="right")
SMALL = {
    "vocab_size": 61,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "factor": 2.0,
    "long_factor": [1.0] * 8,
    "short_factor": [1.0] * 8,
}
REFUSED = {  # model, rope parameters or other changes -> what the error must name
    "dynamic NTK": (
        "Llama",
        {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}},
        "dynamic",
    ),
    "LongRoPE": ("Llama", {"rope_parameters": LONGROPE, "head_dim": 16}, "longrope"),
    "sliding window": ("Mistral", {"sliding_window": 16}, "sliding_attention"),
    "some sliding layers": ("Qwen2", {"layer_types": ["full_attention", "sliding_attention"]}, "sliding_attention"),
    "chunked": (
        "Llama4Text",
        {"head_dim": 8, "intermediate_size_mlp": 48, "num_local_experts": 2},
        "chunked_attention",
    ),
    "linear attention": ("Qwen3Next", {"head_dim": 8}, "linear_attention"),
    "interleaved pairs": ("Cohere", {}, "interleaves its pairs"),
    "latent attention": (
        "DeepseekV3",
        {"num_key_value_heads": 4, "n_routed_experts": 4, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2},
        "latent attention",
    ),
    "two rotary embeddings": ("Gemma3Text", {"head_dim": 8}, "Gemma3ForCausalLM has 0 rotary embeddings"),
    "no RoPE, learnt positions": ("GPT2", {"n_embd": 32, "n_layer": 2, "n_head": 4}, "GPT2LMHeadModel has 0 rotary"),
    "no RoPE, ALiBi": ("Bloom", {"n_layer": 2, "n_head": 4}, "BloomForCausalLM has 0 rotary"),
    "no attention interface": ("Falcon", {}, "FalconForCausalLM is not supported: its attention"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_refused_by_name(name):
    family, changes, message = REFUSED[name]
    model = random_model(getattr(transformers, f"{family}Config")(**SMALL | changes))
    with pytest.raises(ModelError, match=message):
        wire(model, STOCK)


SCALINGS = {
    "linear": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0},
    "yarn": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 64},
    "llama3": {
        "rope_type": "llama3",
        "rope_theta": 1e4,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
}


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_scaled_frequencies_equal_stock(kind, scaling):
    changes = {"rope_parameters": SCALINGS[scaling]}
    layout = GROUP.layout("own")
    logits = dense_logits(wired_model(kind, STOCK, **changes), STOCK, layout)
    for branch in range(len(GROUP.prompts)):
        expected = stock_logits(stock_model(kind, **changes), GROUP.alone(branch))
        assert_close(logits[places(layout, branch + 1)], expected[len(GROUP.context) :])
    plain = stock_logits(stock_model(kind), GROUP.alone(0))
    assert differ(stock_logits(stock_model(kind, **changes), GROUP.alone(0)), plain)  # the scaling matters


KIN = {
    "Mistral": {"sliding_window": None},
    "Mixtral": {"num_local_experts": 2},
    "GPTNeoX": {"num_key_value_heads": 4},  # rotates a quarter of each head
    "Phi": {},
    "Glm": {"head_dim": 8},
    "Gemma": {"head_dim": 8},
    "Olmo2": {},
    "SmolLM3": {},
}


@pytest.mark.parametrize("family", KIN)
def test_kin_of_llama_equal_stock(family):
    def build():
        return random_model(getattr(transformers, f"{family}Config")(**SMALL | {"pad_token_id": 0} | KIN[family]))

    stock, wired = build(), wire(build(), STOCK)
    decoded = decode_recorded(wired, STOCK, [GROUP.request], max_new_tokens=3)[0]
    for number, (tokens, logits) in decoded.items():
        expected = stock_logits(stock, [*GROUP.context, *GROUP.prompts[number - 1], *tokens[:-1]])
        assert_close(logits, expected[-len(tokens) :], scale=max(1.0, float(expected.abs().max())))


def test_a_model_that_does_not_pass_the_cache_on():
    model = wire(random_model(transformers.StableLmConfig(**SMALL)), STOCK)
    with pytest.raises(ModelError, match="StableLmAttention cannot be decoded"):
        decode_recorded(model, STOCK, [GROUP.request])


def _lora(model):
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    torch.manual_seed(1)
    return get_peft_model(model, config).eval()


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # between PEFT and transformers
@pytest.mark.parametrize("order", ["wired first", "LoRA first"])
def test_under_lora(order):
    stock = _lora(stock_model())
    model = _lora(wired_model()) if order == "wired first" else wire(_lora(stock_model()), STOCK)
    expected = stock_logits(stock, GROUP.alone(0))
    assert differ(expected, stock_logits(stock_model(), GROUP.alone(0)))  # the adapters matter
    layout = GROUP.layout("own")
    assert_close(dense_logits(model, STOCK, layout)[places(layout, 1)], expected[len(GROUP.context) :])
    tokens, logits = decode_recorded(model, STOCK, [GROUP.request])[0][1]
    expected = stock_logits(stock, [*GROUP.context, *GROUP.prompts[0], *tokens[:-1]])
    assert_close(logits, expected[-len(tokens) :])


def test_gradients_flow_through_a_wired_model():
    model = wired_model("qwen3", COLUMNAR)
    layout = GROUP.layout("right")
    visible = torch.ones(1, len(layout.token_ids), len(layout.token_ids), dtype=torch.bool)
    forward(model, layout.token_ids[None], layout.coords[None], visible).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def _contents(model):
    """What every module holds, down to the identity of each attribute."""
    return {
        name: {
            key: dict(value) if key in ("_parameters", "_buffers", "_modules") else value
            for key, value in vars(module).items()
        }
        for name, module in model.named_modules()
    }


def _same(before, after) -> bool:
    def flat(contents):
        for module, entries in contents.items():
            for key, value in entries.items():
                if isinstance(value, dict):
                    yield from ((module, key, inner, id(held)) for inner, held in value.items())
                else:
                    yield module, key, id(value)

    return list(flat(before)) == list(flat(after))


@pytest.mark.parametrize("settings", [STOCK, COLUMNAR], ids=["stock", "columnar"])
def test_nothing_is_left_on_modules_between_calls(settings, compiled):
    model = wired_model("qwen3", settings, compiled=compiled)
    before, config = _contents(model), model.config.to_dict()
    decode_recorded(model, settings, [group.request for group in SHAPES.values()], max_groups=2, max_new_tokens=3)
    dense_logits(model, settings, GROUP.layout(settings.alignment))
    assert _same(before, _contents(model))
    assert model.config.to_dict() == config


def test_an_abandoned_decoding_leaves_nothing_behind():
    model = wired_model()
    first = dense_logits(model, STOCK, GROUP.layout("own"))
    before = _contents(model)
    events = decode(model, STOCK, [GROUP.request], GenerationOptions(max_new_tokens=9), lambda answer: False)
    next(events)
    next(events)
    events.close()
    assert _same(before, _contents(model))
    assert dense_logits(model, STOCK, GROUP.layout("own")).equal(first)


def test_wiring_again_takes_the_new_settings():
    model = wire(wired_model(settings=COLUMNAR), STOCK)
    layout = GROUP.layout("own")
    assert dense_logits(model, STOCK, layout).equal(dense_logits(wired_model(), STOCK, layout))


def test_a_refused_model_stays_as_it_was():
    model = stock_model()
    with pytest.raises(SettingsError, match="selects none"):
        wire(model, Settings(rope_2d_ratio=0.01))
    assert stock_logits(model, GROUP.context).equal(stock_logits(stock_model(), GROUP.context))


def test_positions_of_one_axis_are_refused():
    model = wired_model()
    with pytest.raises(ModelError, match=r"\[B, T, 2\] \(branch, column\), not \[1, 3\]"):
        model(torch.tensor([[1, 2, 3]]))


def test_a_wired_model_without_a_mask_is_refused():
    """Attending to everything, later tokens included, would be a silent error."""
    with pytest.raises(ModelError, match="needs an attention_mask"):
        wired_model()(torch.tensor([[1, 2]]), position_ids=torch.tensor([[[0, 0], [1, 1]]]))


def test_the_key_value_buffers_fit_every_kind():
    for kind in KINDS:
        config = stock_model(kind).config
        context = Context(config, (1, 2, 3), torch.float32, torch.device("cpu"))
        reference = DynamicCache(config=config)
        with torch.no_grad():
            stock_model(kind)(torch.tensor([[1, 2, 3]]), past_key_values=reference)
        held = sum(layer.keys.nbytes + layer.values.nbytes for layer in reference.layers)
        assert context.bytes == held


@pytest.mark.parametrize(
    ("changes", "warns"),
    [
        ({"rope_2d_ratio": 0.25, "pair_placement": "low", "branch_stride": 128}, "0.00405 rad"),
        ({"rope_2d_ratio": 0.25, "branch_stride": 16}, None),
        ({"rope_2d_ratio": 0.0, "visibility": "columnar", "alignment": "right"}, "0 rad"),
        ({"rope_2d_ratio": 0.0}, None),
    ],
)
def test_a_warning_with_the_number_when_branches_are_hard_to_tell_apart(changes, warns, caplog):
    wired_model(settings=Settings(**changes), rope_parameters={"rope_type": "default", "rope_theta": 1e6}, head_dim=64)
    assert bool(caplog.records) == (warns is not None)
    if warns:
        assert warns in caplog.text
