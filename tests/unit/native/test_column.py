"""The compiled column against the model's own code, in shapes that its panels, tiles and chunks could trip over."""

from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from torch import nn

from pmind.decoding.reader import COMPILED_CHUNK, Reader
from pmind.models.settings import STOCK, Settings
from pmind.models.wiring import wire
from pmind.native.column import CompiledColumn, pack, supports
from pmind.native.linear import PackedLinear
from tests.groups import SHAPES, random_group
from tests.reference import (
    LEGAL,
    assert_close,
    assert_equals_dense,
    decode_recorded,
    dense_answers,
    stock_logits,
)
from tests.tiny import KINDS, SHAPE, random_model, stock_model, wired_model

pytestmark = pytest.mark.usefixtures("needs_compiler")
COLUMNAR = Settings(rope_2d_ratio=0.5, branch_stride=5, visibility="columnar", alignment="right")
SEVEN = {"num_attention_heads": 14, "num_key_value_heads": 2, "hidden_size": 42}  # 32 rows cut a token in two
LONG = {"max_position_embeddings": 2048}
KERNEL_CHUNK = 512  # tokens of the context that one thread reads at a time
ODD = {
    "head_size_16": {"head_dim": 16},
    "head_size_20": {"head_dim": 20},
    "head_size_64": {"head_dim": 64},
    "head_size_128": {"head_dim": 128},
    "seven_heads_a_kv_head": SEVEN,
    "odd_sizes": {"hidden_size": 36, "intermediate_size": 75},
    "all_odd": {"intermediate_size": 75, "head_dim": 22, **SEVEN},
    "wide": {"hidden_size": 328, "intermediate_size": 300, "initializer_range": 0.05},  # inputs in blocks of 256
}
REQUESTS = [SHAPES[name].request for name in ("ordinary", "empty_context", "wildly_unequal")]


@pytest.mark.parametrize("settings", [STOCK, COLUMNAR], ids=["isolated", "columnar"])
@pytest.mark.parametrize("shape", ODD)
def test_odd_shapes(shape, settings):
    _check(settings, REQUESTS, max_groups=2, **ODD[shape])


@pytest.mark.parametrize("branches", [15, 16, 17, 31, 32, 33])
def test_every_number_of_rows(branches):
    """With a key head for each query head; 16 lie in a narrow panel and 32 in a wide one."""
    _check(STOCK, [random_group(9, [1] * (branches - 1) + [branches]).request], num_key_value_heads=4)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("settings", [STOCK, COLUMNAR], ids=["isolated", "columnar"])
@pytest.mark.parametrize("context", [KERNEL_CHUNK + 1, 2 * KERNEL_CHUNK + COMPILED_CHUNK // 2])
def test_contexts_longer_than_a_chunk(context, settings, threads):
    torch.set_num_threads(threads)
    request = random_group(context, [5, 1, 40]).request
    _check(settings, [request], scale=2, **SEVEN, **LONG)  # sums this long are right to 1e-5 in torch's float32 too


def test_shared_tokens_longer_than_a_chunk():
    """Columnar: chunks run from the context into what siblings said, and on."""
    _check(COLUMNAR, [random_group(20, [200, 180, 170, 1]).request], **LONG)


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_several_threads(visibility, alignment, threads):
    torch.set_num_threads(threads)
    settings = Settings(rope_2d_ratio=0.5, branch_stride=5, visibility=visibility, alignment=alignment)
    _check(settings, REQUESTS, max_groups=3)


def test_two_python_threads_at_once():
    """The kernel runs without Python's lock and keeps nothing between calls."""
    model = wired_model(compiled=True)
    expected = [decode_recorded(model, STOCK, [request])[0] for request in REQUESTS]
    results = ThreadPoolExecutor(2).map(lambda request: _first_logits(model, request), REQUESTS * 4)
    for logits, answers in zip(results, expected * 4, strict=True):
        assert logits.equal(torch.stack([answer[1][0] for answer in answers.values()]))


def test_large_negative_gates():
    """Their exponential is beyond float32: silu is 0 there."""

    def model(compiled):
        built = wired_model(compiled=False)
        for layer in built.model.layers:
            layer.mlp.gate_proj.weight.data *= 1000
        return pack(built) if compiled else built

    expected, actual = (decode_recorded(model(compiled), STOCK, REQUESTS[:1])[0] for compiled in (False, True))
    for number, (tokens, logits) in expected.items():
        assert actual[number][0] == tokens
        assert_close(actual[number][1], logits, scale=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [STOCK, COLUMNAR], ids=["isolated", "columnar"])
def test_in_bfloat16(kind, settings):
    """No further from the same weights in float32 than the model's own code, which rounds more often."""
    request = random_group(40, [6, 1, 20]).request
    errors = {}
    for compiled in (False, True):
        answers = decode_recorded(wired_model(kind, settings, torch.bfloat16, compiled=compiled), settings, [request])[
            0
        ]
        expected = dense_answers(answers, wired_model(kind, settings, torch.bfloat16).float(), settings, request)
        errors[compiled] = max(float((answers[n][1].float() - expected[n]).abs().max()) for n in expected)
    assert 1e-4 < errors[True] <= 1.2 * errors[False]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_what_decodes(kind):
    """Otherwise the tests of "compiled" would compare the model's own code with itself."""
    model = wired_model(kind, compiled=True)
    assert supports(model)
    with mock.patch.object(CompiledColumn, "__call__", autospec=True, side_effect=CompiledColumn.__call__) as column:
        decode_recorded(model, STOCK, REQUESTS[:1], max_new_tokens=4, stops=lambda answer: False)
    assert column.call_count == 5  # context, prompts, three columns


def test_a_plain_model_is_not_compiled():
    assert not supports(wired_model())


class TestLeftAlone:
    """What the kernel does not compute decodes through the model's own code."""

    def test_float64(self):
        assert not any(isinstance(module, PackedLinear) for module in pack(stock_model(dtype=torch.float64)).modules())

    @pytest.mark.parametrize(
        "changes",
        [{"intermediate_size": 49}, {"hidden_size": 33, "num_attention_heads": 3, "num_key_value_heads": 1}],
    )
    def test_odd_inputs_in_bfloat16(self, changes):
        model = wired_model(dtype=torch.bfloat16, compiled=True, **changes)
        odd = [module for module in model.modules() if isinstance(module, nn.Linear)]
        assert odd
        assert all(module.in_features % 2 for module in odd)
        assert not supports(model)
        decode_recorded(model, STOCK, REQUESTS)

    @pytest.mark.parametrize(("family", "changes"), [("Granite", {"logits_scaling": 2.0}), ("Phi3", {})])
    def test_other_models(self, family, changes):
        config = getattr(transformers, f"{family}Config")(
            **SHAPE | {"num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0} | changes
        )
        model = pack(wire(random_model(config), STOCK))
        assert not supports(model)
        group = SHAPES["ordinary"]
        tokens, logits = decode_recorded(model, STOCK, [group.request])[0][1]
        expected = stock_logits(random_model(config), [*group.context, *group.prompts[0], *tokens[:-1]])
        assert_close(logits, expected[-len(tokens) :])

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
    @pytest.mark.parametrize(
        "chosen",
        [
            {"target_modules": ["q_proj", "v_proj"]},
            {"target_modules": ["gate_proj"]},
            {"target_modules": ["o_proj"], "layers_to_transform": [1]},
        ],
    )
    @pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # between PEFT and transformers
    def test_lora(self, chosen, dtype):
        """In whichever layer; in bfloat16 PEFT keeps the adapters in float32."""

        def model():
            torch.manual_seed(1)
            return get_peft_model(wired_model(dtype=dtype), LoraConfig(r=4, init_lora_weights=False, **chosen)).eval()

        group = SHAPES["ordinary"]
        expected, (actual, base) = model(), (lambda peft: (peft, peft.base_model.model))(pack(model()))
        assert not supports(base)
        for wrapped in (actual, base):
            answers = decode_recorded(wrapped, STOCK, [group.request], max_new_tokens=1)[0]
            dense = dense_answers(answers, expected, STOCK, group.request)
            for number, (_, logits) in answers.items():
                torch.testing.assert_close(logits, dense[number], rtol=0, atol=1e-5 if dtype == torch.float32 else 0.1)


def _first_logits(model, request) -> torch.Tensor:
    reader = Reader(model, STOCK)
    return reader.read_prompts(reader.open_cache(reader.read_context(request.context), request, later=0), request)


def _check(settings: Settings, requests, max_groups: int = 1, scale: float = 1.0, **changes) -> None:
    model = wired_model("llama_gqa", settings, compiled=True, **changes)
    reference = wired_model("llama_gqa", settings, torch.float64, **changes)  # two float32 errors would add up
    assert supports(model)
    decoded = decode_recorded(model, settings, requests, max_groups=max_groups, max_new_tokens=5)
    assert_equals_dense(decoded, reference, settings, requests, scale)
