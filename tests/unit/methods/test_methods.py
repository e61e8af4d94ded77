from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmind.decoding.branches import GroupRequest
from pmind.decoding.engine import DecodeStats
from pmind.decoding.options import GenerationOptions
from pmind.decoding.reader import Reader
from tests.groups import SHAPES, any_group, random_group
from tests.passes import PASSES, answer_groups
from tests.tiny import decoder_of

OPTIONS = GenerationOptions(max_new_tokens=2)
OTHER = random_group(5, [2, 1, 3], seed=8)


@given(group=any_group(), branches=st.integers(1, 70), name=st.sampled_from(list(PASSES)))
def test_a_split_keeps_every_question_in_order(group, branches, name):
    passes = PASSES[name].split(group.request, branches)
    assert [prompt for single in passes for prompt in single.prompts] == list(group.prompts)
    assert all(single.context == group.context for single in passes)
    assert all(len(single.prompts) <= branches for single in passes)


def test_parallel_splits_evenly_and_as_little_as_possible():
    request = GroupRequest((1,), tuple((token,) for token in range(1, 11)))
    assert [len(single.prompts) for single in PASSES["parallel"].split(request, 8)] == [5, 5]
    assert [len(single.prompts) for single in PASSES["parallel"].split(request, 4)] == [3, 3, 4]


def test_a_group_that_fits_is_taken_as_it_is():
    request = GroupRequest((1,), ((2,), (3,)), numbers=(5, 9))
    assert PASSES["parallel"].split(request, 2) == [request]


@pytest.mark.parametrize("name", ["sequential", "sequential_cached", "batch"])
def test_single_questions_are_branch_1(name):
    request = GroupRequest((1,), ((2,), (3,)), numbers=(5, 9))
    assert [single.numbers for single in PASSES[name].split(request, 8)] == [(1,), (1,)]


@pytest.mark.parametrize(("name", "rows"), [("parallel", 3), ("sequential", 1), ("sequential_cached", 1), ("batch", 8)])
def test_passes_side_by_side(name, rows):
    assert PASSES[name].rows(8, 3) == rows


@pytest.mark.parametrize(
    ("name", "columns"), [("parallel", 2), ("sequential", 6), ("sequential_cached", 6), ("batch", 4)]
)
def test_columns_each_method_takes(name, columns):
    """Three questions of two tokens each: what parallel decoding is for. First tokens count once a pass."""
    stats = DecodeStats()
    answer_groups(decoder_of(), PASSES[name], [SHAPES["ordinary"].request], OPTIONS, stats=stats)
    assert stats.columns == columns
    assert stats.tokens == 6


def test_the_context_is_stored_once_by_parallel_and_often_by_batch():
    bytes_of = {}
    for name, method in PASSES.items():
        stats = DecodeStats()
        answer_groups(decoder_of(), method, [SHAPES["ordinary"].request], OPTIONS, stats=stats)
        bytes_of[name] = stats.kv_bytes
    assert bytes_of["batch"] > bytes_of["parallel"] > bytes_of["sequential"] == bytes_of["sequential_cached"]


@pytest.mark.parametrize(
    ("name", "reads"), [("parallel", 2), ("sequential", 6), ("sequential_cached", 2), ("batch", 6)]
)
def test_how_often_contexts_are_read(name, reads, compiled):
    """Two groups of three questions, cut into passes of two; the answers are the same every way."""
    decoder, requests = decoder_of(compiled=compiled), [group.request for group in (SHAPES["ordinary"], OTHER)]
    with mock.patch.object(Reader, "read_context", autospec=True, side_effect=Reader.read_context) as read:
        answers = answer_groups(decoder, PASSES[name], requests, OPTIONS, branches=2)
    assert read.call_count == reads
    assert answers == answer_groups(decoder, PASSES["sequential"], requests, OPTIONS)
