import pytest
import torch

from pmind.decoding.branches import GroupRequest
from pmind.decoding.cache import Context, GroupCache
from pmind.decoding.engine import DecodeStats, decode
from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError
from pmind.models.settings import STOCK, Settings
from tests.groups import SHAPES
from tests.tiny import stock_model, wired_model

CONFIG = stock_model("llama_gqa").config
LAYERS, HEADS, SIZE = 2, 2, 16
REQUEST = GroupRequest((7, 8, 9), ((1, 2), (3,), (4, 5, 6)))
COLUMNAR = Settings(rope_2d_ratio=0.5, branch_stride=5, visibility="columnar", alignment="right")


def context_of(token_ids=REQUEST.context, dtype=torch.float32) -> Context:
    return Context(CONFIG, token_ids, dtype, torch.device("cpu"))


def cache_of(isolated=True, dtype=torch.float32, extra=0) -> GroupCache:
    return GroupCache(context_of(dtype=dtype), REQUEST, CONFIG, isolated=isolated, later=2, extra=extra)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_bytes_are_those_of_the_buffers(dtype):
    a_token = 2 * LAYERS * HEADS * SIZE * dtype.itemsize
    assert context_of(dtype=dtype).bytes == 3 * a_token
    assert cache_of(dtype=dtype).bytes == (6 + 3 * 2) * a_token
    assert cache_of(dtype=dtype, extra=5).bytes == (6 + 3 * 2 + 5) * a_token


def test_isolated_branches_have_regions_of_their_own():
    cache = cache_of()
    assert cache.place([0, 0, 1, 2, 2, 2]).tokens == [(0, 0), (0, 1), (4, 4), (7, 7), (7, 8), (7, 9)]
    assert cache.place([0, 2]).tokens == [(0, 2), (7, 10)]
    last = cache.place([0, 1, 2])
    assert last.tokens == [(0, 3), (4, 5), (7, 11)]
    assert last.shared == 0
    assert cache.place([1]).tokens == [(4, 6)]  # full: 12 places in all


def test_columnar_tokens_lie_in_order_and_what_came_before_is_shared():
    cache = cache_of(isolated=False)
    assert cache.place([0] * 6).tokens == [(place, place) for place in range(6)]
    column = cache.place([0, 2])
    assert column.tokens == [(6, 6), (7, 7)]
    assert column.shared == 6  # siblings of one column do not read each other
    assert cache.place([1]).shared == 8


def test_a_chunk_of_a_context_is_written_to_the_context_itself():
    context = context_of()
    reading = context.place(1, 2)
    assert reading.tokens == [(0, 1), (0, 2)]  # each reads what came before it
    assert reading.keys is context.keys
    assert reading.values is context.values
    assert reading.context_keys.shape[2] == 0


def test_a_freed_context():
    context = context_of()
    keys = context.keys
    assert not context.freed
    context.check_usable()
    cache = GroupCache(context, REQUEST, CONFIG, isolated=True, later=0)
    context.free()
    assert context.freed
    assert context.bytes == 0
    with pytest.raises(DecodingError, match=r"freed; read it again with prefill\(\)"):
        context.check_usable()
    assert cache.place([0]).context_keys is keys  # of a group that is still being decoded


@pytest.mark.parametrize("settings", [STOCK, COLUMNAR], ids=["isolated", "columnar"])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_group_takes_is_k_times_its_tokens(shape, settings, compiled):
    """k (C + sum of prompts and answers) bytes, k measured on the model: nothing is padded or stored twice."""
    assert kv_bytes([SHAPES[shape].request], settings, compiled) == a_token() * tokens_of(SHAPES[shape].request)


def test_what_several_groups_take(compiled):
    """Groups that go side by side add up; one that comes after them takes their place."""
    requests = [SHAPES[name].request for name in ("64_branches", "ordinary", "one_branch")]
    together = kv_bytes(requests, STOCK, compiled, max_groups=3)
    assert together == a_token() * sum(map(tokens_of, requests))
    assert kv_bytes(requests, STOCK, compiled, max_groups=1) == a_token() * tokens_of(requests[0])


def test_a_shared_context_counts_once(compiled):
    request = SHAPES["ordinary"].request
    halves = [GroupRequest(request.context, prompts) for prompts in (request.prompts[:1], request.prompts[1:])]
    apart = kv_bytes(halves, STOCK, compiled, max_groups=2)
    shared = kv_bytes(halves, STOCK, compiled, max_groups=2, share_contexts=True)
    assert shared == a_token() * tokens_of(request)
    assert apart == shared + a_token() * len(request.context)


def kv_bytes(requests, settings, compiled, **options) -> int:
    stats = DecodeStats()
    model = wired_model(settings=settings, compiled=compiled)
    list(decode(model, settings, requests, GenerationOptions(max_new_tokens=4), never, stats=stats, **options))
    return stats.kv_bytes


def a_token() -> int:
    return context_of((1,)).bytes


def tokens_of(request: GroupRequest) -> int:
    return len(request.context) + sum(len(prompt) + 3 for prompt in request.prompts)  # the last token is never fed


def never(answer) -> bool:
    return False
