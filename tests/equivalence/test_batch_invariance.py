"""The compiled column, isolated and own: a branch's logits do not depend on its company in any bit."""

import pytest
import torch
from hypothesis import given

from pmind.decoding.branches import GroupRequest
from pmind.models.settings import STOCK, Settings
from tests.groups import any_group, random_group
from tests.reference import decode_recorded
from tests.tiny import KINDS, wired_model

pytestmark = pytest.mark.usefixtures("needs_compiler")
GROUP = random_group(600, [1, 40, 7, 3] * 4)  # sixteen branches
SEVEN = {"num_attention_heads": 14, "num_key_value_heads": 2, "hidden_size": 42}  # 32 rows cut a token in two
OFFSET = Settings(rope_2d_ratio=0.5, branch_stride=5, branch_encoding="offset")


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("settings", [STOCK, OFFSET], ids=["stock", "offset"])
@pytest.mark.parametrize("shape", [{}, SEVEN], ids=["two_heads_a_kv_head", "seven"])
def test_alone_with_siblings_and_with_other_groups(shape, settings, dtype, threads):
    torch.set_num_threads(threads)
    model = wired_model("llama_gqa", settings, dtype, compiled=True, max_position_embeddings=2048, **shape)
    others = [random_group(33, [5, 2]).request, random_group(0, [9]).request]
    together = decode_recorded(model, settings, [GROUP.request])[0]
    in_company = decode_recorded(model, settings, [others[0], GROUP.request, others[1]], max_groups=3)[1]
    for number in (1, 2, 16):
        _assert_same_bits(_alone(model, settings, GROUP.request, number), together[number])
        _assert_same_bits(in_company[number], together[number])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(kind):
    _check_every_branch(wired_model(kind, compiled=True), random_group(9, [4, 1, 30, 2]).request)


@given(group=any_group())
def test_any_group(group):
    _check_every_branch(wired_model(compiled=True), group.request)


def _check_every_branch(model, request: GroupRequest) -> None:
    together = decode_recorded(model, STOCK, [request], max_new_tokens=4)[0]
    for number in request.numbers:
        _assert_same_bits(_alone(model, STOCK, request, number, max_new_tokens=4), together[number])


def _alone(model, settings, request: GroupRequest, number: int, **options):
    single = GroupRequest(request.context, (request.prompts[number - 1],), (number,))
    return decode_recorded(model, settings, [single], **options)[0][number]


def _assert_same_bits(first, second) -> None:
    assert first[0] == second[0]
    assert first[1].equal(second[1])
