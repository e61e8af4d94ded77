import pytest
import torch

from pmind.decoding.cache import GroupCache
from pmind.decoding.engine import DecodeStats, decode
from pmind.decoding.options import GenerationOptions
from pmind.geometry import PADDING
from pmind.models.settings import STOCK
from tests.groups import SHAPES
from tests.tiny import stock_model, wired_model

CPU = torch.device("cpu")


@pytest.fixture
def cache():
    return GroupCache(stock_model("llama_gqa").config, rows=2, capacity=6, dtype=torch.float32, device=CPU)


def coords(*rows):
    return torch.tensor(rows)


def test_bytes_are_those_of_the_buffers(cache):
    layers, rows, heads, capacity, size = 2, 2, 2, 6, 16
    assert cache.bytes == 2 * layers * rows * heads * capacity * size * 4
    assert GroupCache(stock_model().config, 2, 6, torch.bfloat16, CPU).bytes == cache.bytes // 2


def test_one_copy_of_the_context_a_group():
    """k (C + sum of prompts and answers) bytes, k measured on the model: nothing is stored twice."""
    model, group, stats = wired_model(), SHAPES["64_branches"], DecodeStats()
    list(decode(model, STOCK, [group.request], GenerationOptions(max_new_tokens=4), lambda answer: False, stats=stats))
    tokens = len(group.context) + sum(len(prompt) + 3 for prompt in group.prompts)  # the last token is never fed
    bytes_per_token = GroupCache(model.config, 1, 1, torch.float32, CPU).bytes
    assert stats.kv_bytes == bytes_per_token * tokens


def test_tokens_take_the_next_places_and_padding_takes_none(cache):
    padding = [PADDING, PADDING]
    cache.reserve([0, 1], coords([[0, 0], [0, 1]], [[0, 0], padding]))
    write = cache.reserve([0, 1], coords([padding, [1, 2]], [[1, 1], [2, 1]]))
    assert cache.lengths == [3, 3]
    assert cache.used == 3
    assert write.coords.tolist() == [[[0, 0], [0, 1], [1, 2]], [[0, 0], [1, 1], [2, 1]]]


def test_keys_and_values_come_back_beside_their_coords(cache):
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 2, 2, 2, 16, generator=generator)  # [R, H, T, D]
    cache.reserve([0, 1], coords([[0, 0], [0, 1]], [[0, 0], [PADDING, PADDING]])).update(1, first, -first)
    keys, values = cache.reserve([0, 1], coords([[1, 2], [2, 2]], [[1, 1], [2, 1]])).update(1, second, -second)
    assert keys[0].equal(torch.cat((first[0], second[0]), dim=1))
    assert keys[1, :, :3].equal(torch.cat((first[1, :, :1], second[1]), dim=1))
    assert values.equal(-keys)


def test_single_rows_are_written_without_touching_others(cache):
    tokens = torch.ones(1, 2, 1, 16)
    cache.reserve([0], coords([[0, 0]])).update(0, tokens, tokens)
    keys, _ = cache.reserve([1], coords([[0, 0]])).update(0, 2 * tokens, 2 * tokens)
    assert keys.unique().tolist() == [2.0]
    assert cache.lengths == [1, 1]


def test_a_cleared_row_starts_over(cache):
    cache.reserve([0, 1], coords([[0, 0], [1, 1]], [[0, 0], [1, 1]]))
    cache.clear(0)
    assert cache.lengths == [0, 2]
    assert (cache.coords[0] == PADDING).all()
    write = cache.reserve([0], coords([[0, 0]]))
    assert write.coords.tolist() == [[[0, 0]]]
