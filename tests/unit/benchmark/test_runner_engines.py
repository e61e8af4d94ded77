"""Other engines give the tokens of stock transformers, whatever the sizes and the family of the model."""

import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from transformers import GPT2Config, LlamaConfig

from pmind.benchmark.runners import llamacpp, openvino, vllm
from pmind.benchmark.runners.checkpoint import read_checkpoint
from pmind.benchmark.runners.gguf_file import interleave, write_gguf
from pmind.benchmark.runners.protocol import Setup
from pmind.decoding.branches import GroupRequest
from pmind.errors import DecodingError, ModelError
from tests.reference import stock_logits
from tests.tiny import VOCAB, stock_model

CONTEXT, PROMPT, TOKENS, BRANCHES = 77, 9, 12, 4  # 77 fills no cache block of any engine
WIDTH = {"head_dim": 32}  # the smallest that vLLM computes with
FAMILIES = {
    "llama": ("llama", WIDTH),
    "llama_biased": ("llama_gqa", WIDTH | {"attention_bias": True, "tie_word_embeddings": True}),
    "qwen2": ("qwen2", WIDTH | {"num_key_value_heads": 2, "hidden_size": 128}),
    "qwen3": ("qwen3", WIDTH),
}
ENGINES = {
    "openvino": (openvino, ("openvino", "openvino_genai")),
    "llamacpp": (llamacpp, ("llama_cpp", "gguf")),
    "vllm": (vllm, ("vllm",)),
}


def setup_for(folder: Path, **changes: object) -> Setup:
    sizes = {"context_tokens": CONTEXT, "prompt_tokens": PROMPT, "answer_tokens": TOKENS, "most_branches": BRANCHES}
    return Setup(**{"folder": folder, "dtype": "float32", "device": "cpu", "threads": 1} | sizes | changes)


def group(seed: int, context: int = CONTEXT, prompts: tuple[int, ...] = (PROMPT,) * BRANCHES) -> GroupRequest:
    random = np.random.default_rng(seed)
    texts = [tuple(random.integers(0, VOCAB, tokens).tolist()) for tokens in (context, *prompts)]
    return GroupRequest(texts[0], tuple(texts[1:]))


def greedy(model, request: GroupRequest, tokens: int) -> tuple[tuple[int, ...], ...]:
    return tuple(_greedy(model, [*request.context, *prompt], tokens) for prompt in request.prompts)


def _greedy(model, text: list[int], tokens: int) -> tuple[int, ...]:
    start = len(text)
    for _ in range(tokens):
        text.append(int(stock_logits(model, text)[-1].argmax()))
    return tuple(text[start:])


def engine_of(name: str):
    module, packages = ENGINES[name]
    for package in packages:
        pytest.importorskip(package)
    return module


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("engine", ["openvino", "llamacpp"])
def test_tokens_are_those_of_stock_transformers(engine, family, tmp_path):
    module = engine_of(engine)
    assert_stock_tokens(module, family, tmp_path)


@pytest.mark.slow
def test_vllm_gives_the_tokens_of_stock_transformers(tmp_path):
    module = engine_of("vllm")
    assert_stock_tokens(module, "llama_biased", tmp_path)


def assert_stock_tokens(module, family: str, folder: Path) -> None:
    """A full group, a smaller one, one without a context, and the first again."""
    kind, changes = FAMILIES[family]
    full, small, bare = group(0), group(1, 32, (3, PROMPT)), group(2, 0)
    stop = _greedy(stock_model(kind, **changes), [*full.context, *full.prompts[0]], 2)[1]
    model = stock_model(kind, eos_token_id=stop, **changes)  # which must not end an answer
    model.save_pretrained(folder)
    runner = module.start(setup_for(folder))
    try:
        for request in (full, small, bare, full):
            runner.reset()
            run = runner.run(request, TOKENS)
            assert run.answers == greedy(model, request, TOKENS)
            assert run.columns == TOKENS - 1
            assert 0 < run.first_token_s <= run.prefill_s
    finally:
        runner.close()


@pytest.mark.parametrize("engine", ["openvino", "llamacpp"])
def test_a_run_without_a_reset_is_cold_too(engine, tmp_path, monkeypatch):
    module = engine_of(engine)
    stock_model().save_pretrained(tmp_path)
    runner = module.start(setup_for(tmp_path))
    resets, reset = [], runner.reset
    monkeypatch.setattr(runner, "reset", lambda: (resets.append(1), reset()))
    answers = [runner.run(group(0), TOKENS).answers for _ in range(3)]
    runner.close()
    assert len(resets) >= 2
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("engine", ["openvino", "llamacpp"])
def test_an_engine_tells_the_size_of_its_cache(engine, tmp_path):
    module = engine_of(engine)
    stock_model("llama_gqa").save_pretrained(tmp_path)
    runner = module.start(setup_for(tmp_path))
    told = runner.run(group(0), TOKENS).kv_bytes
    runner.close()
    token = 2 * 2 * 2 * 16 * 4  # keys and values, layers, heads, width, bytes
    needed = CONTEXT + BRANCHES * (PROMPT + TOKENS - 1)
    assert needed * token <= told <= 3 * needed * token


@pytest.mark.parametrize("engine", ["openvino", "llamacpp"])
def test_half_precision_runs(engine, tmp_path):
    module = engine_of(engine)
    stock_model().save_pretrained(tmp_path)
    try:
        runner = module.start(setup_for(tmp_path, dtype="bfloat16"))
    except ModelError as error:
        pytest.skip(str(error))
    answers = runner.run(group(0), TOKENS).answers
    runner.close()
    assert [len(answer) for answer in answers] == [TOKENS] * BRANCHES


@pytest.mark.parametrize(
    ("engine", "package", "message"),
    [
        ("openvino", "openvino", r"openvino needs the package openvino-genai .*pip install 'pmind\[openvino\]'"),
        ("openvino", "openvino_genai", r"openvino needs the package openvino-genai"),
        ("llamacpp", "llama_cpp", r"llamacpp needs the package llama-cpp-python .*pip install 'pmind\[llamacpp\]'"),
        ("llamacpp", "gguf", r"llamacpp needs the package gguf"),
        ("vllm", "vllm", r"vllm needs the package vllm .*pip install 'pmind\[vllm\]'"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(engine, package, message, monkeypatch, tmp_path):
    module, packages = ENGINES[engine]
    for other in packages[: packages.index(package)]:
        monkeypatch.setitem(sys.modules, other, mock.MagicMock())
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=message):
        module.start(setup_for(tmp_path))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "float64"}, "does not run float64 on cpu; set dtype to float32 or "),
        ({"device": "tpu:0"}, "does not run on tpu:0; set device to cpu"),
    ],
)
def test_a_dtype_or_device_that_an_engine_does_not_run(engine, changes, message, tmp_path):
    module, _ = ENGINES[engine]
    with pytest.raises(ModelError, match=f"{engine} {message}"):
        module.start(setup_for(tmp_path, **changes))


@pytest.mark.parametrize(
    ("request_", "tokens", "message"),
    [
        (group(0, CONTEXT + 1), TOKENS, "context_tokens 78 but the runner was started with 77"),
        (group(0, CONTEXT, (PROMPT + 1,)), TOKENS, "prompt_tokens 10 .* 9"),
        (group(0, CONTEXT, (1,) * 5), TOKENS, "most_branches 5 .* 4"),
        (group(0), TOKENS + 1, "answer_tokens 13 .* 12"),
    ],
)
def test_a_group_larger_than_the_runner_was_started_for(request_, tokens, message, tmp_path):
    module = engine_of("llamacpp")
    stock_model().save_pretrained(tmp_path)
    runner = module.start(setup_for(tmp_path))
    with pytest.raises(DecodingError, match=message):
        runner.run(request_, tokens)
    runner.close()


def test_rows_are_interleaved_so_that_both_rotations_agree():
    heads, half = 3, 4
    x, angles = torch.randn(heads, 2 * half), torch.randn(half)
    first, second = x[:, :half], x[:, half:]
    in_halves = torch.cat(
        [first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin()], 1
    )
    pairs = torch.from_numpy(interleave(x.flatten().numpy(), heads)).view(heads, half, 2)
    even, odd = pairs[..., 0], pairs[..., 1]
    in_pairs = torch.stack([even * angles.cos() - odd * angles.sin(), odd * angles.cos() + even * angles.sin()], -1)
    expected = interleave(in_halves.flatten().numpy(), heads)
    torch.testing.assert_close(in_pairs.flatten(), torch.from_numpy(expected))


def test_a_gguf_file_holds_reordered_queries_and_keys_and_all_else_as_it_was(tmp_path):
    gguf = pytest.importorskip("gguf")
    stock_model("llama_gqa", attention_bias=True).save_pretrained(tmp_path)
    checkpoint = read_checkpoint(tmp_path)
    write_gguf(checkpoint, tmp_path / "model.gguf", "F32")
    reader = gguf.GGUFReader(tmp_path / "model.gguf")
    stored = {tensor.name: tensor.data for tensor in reader.tensors}
    ours = {name.removeprefix("model.layers.1.self_attn."): value for name, value in checkpoint.tensors.items()}
    for part in ("weight", "bias"):
        np.testing.assert_array_equal(stored[f"blk.1.attn_q.{part}"], interleave(ours[f"q_proj.{part}"], 4))
        np.testing.assert_array_equal(stored[f"blk.1.attn_k.{part}"], interleave(ours[f"k_proj.{part}"], 2))
        np.testing.assert_array_equal(stored[f"blk.1.attn_v.{part}"], ours[f"v_proj.{part}"])
    np.testing.assert_array_equal(stored["token_embd.weight"], ours["model.embed_tokens.weight"])
    assert len(stored) == len(checkpoint.tensors)
    assert reader.fields["llama.attention.head_count_kv"].contents() == 2
    assert reader.fields["llama.vocab_size"].contents() == VOCAB


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (GPT2Config(), "gpt2 models are not converted, only llama, qwen2, qwen3"),
        (LlamaConfig(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}), "scaled rotary"),
        (LlamaConfig(hidden_act="gelu"), "activations other than silu"),
        (LlamaConfig(), "has no model.safetensors"),
    ],
)
def test_a_model_that_is_not_converted(config, message, tmp_path):
    config.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(tmp_path)


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(ModelError, match=r"has no config\.json"):
        read_checkpoint(tmp_path)
