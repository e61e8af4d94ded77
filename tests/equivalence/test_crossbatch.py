"""A cross-batch module: what training computes is what decoding computes, and an untrained one changes nothing."""

import pytest
import torch

from pmind.crossbatch.config import CrossBatchConfig
from pmind.decoding.branches import GroupRequest
from pmind.models.settings import Settings
from tests.groups import SHAPES, Group
from tests.reference import LEGAL, assert_close, decode_recorded, differ
from tests.tiny import KINDS, wired_model
from tests.unit.crossbatch.modules import CONFIGS, batch_of, mixed_logits, model_with, trained, untrained

REQUESTS = [SHAPES[name].request for name in ("ordinary", "empty_context", "one_branch", "wildly_unequal")]
STEPS = 6


def settings_of(visibility: str, alignment: str, ratio: float = 0.5) -> Settings:
    return Settings(rope_2d_ratio=ratio, branch_stride=5, alignment=alignment, visibility=visibility)


ISOLATED = settings_of("isolated", "own", 0.0)


def stops(answer) -> bool:
    return answer[-1] % 3 == 0  # early and at different steps, so that branches end one after the other


def decoded(model, settings, requests, max_groups=2):
    return decode_recorded(model, settings, requests, max_groups=max_groups, max_new_tokens=STEPS, stops=stops)


def forced(model, settings, request: GroupRequest, answers) -> dict[int, torch.Tensor]:
    """``[L, V]`` logits of every branch's answer tokens, from the one forward pass of training."""
    fed = tuple(tuple(answers[number][0][:-1]) for number in request.numbers)
    batch = batch_of(settings, Group(request.context, request.prompts, fed))
    logits = mixed_logits(model, settings, batch)[0]
    branch = batch.coords[0, :, 0]
    lengths = {number: len(answers[number][0]) for number in request.numbers}
    return {number: logits[(branch == number).nonzero()[:, 0][-length:]] for number, length in lengths.items()}


def assert_forced_equals_decoded(model, settings, requests=REQUESTS) -> None:
    answers = decoded(model, settings, requests)
    assert len({len(ids) for group in answers for ids, _ in group.values()}) >= 3  # branches end at different steps
    for request, group in zip(requests, answers, strict=True):
        expected = forced(model, settings, request, group)
        for number, (_, logits) in group.items():
            assert_close(logits, expected[number])


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_decoding_computes_what_training_does(config, visibility, alignment):
    settings = settings_of(visibility, alignment)
    assert_forced_equals_decoded(model_with(trained(config), settings), settings)


@pytest.mark.parametrize("layer", [0, 1, -1])
@pytest.mark.parametrize("kind", KINDS)
def test_behind_every_layer_of_every_kind(kind, layer):
    """Behind the first layer what siblings tell goes into keys and values, too."""
    module = trained(CrossBatchConfig(heads=4, layer=layer))
    assert_forced_equals_decoded(model_with(module, ISOLATED, kind), ISOLATED)


def test_in_float64():
    module = trained(CrossBatchConfig(layer=0, combine="gate"))
    assert_forced_equals_decoded(model_with(module, ISOLATED, dtype=torch.float64), ISOLATED)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_an_untrained_module_changes_no_bit(config, visibility, alignment):
    settings = settings_of(visibility, alignment)
    plain, mixed = wired_model("llama_gqa", settings), model_with(untrained(config), settings)
    for expected, group in zip(decoded(plain, settings, REQUESTS), decoded(mixed, settings, REQUESTS), strict=True):
        for number, (ids, logits) in group.items():
            assert ids == expected[number][0]
            assert logits.equal(expected[number][1])


def test_a_trained_module_changes_much_but_not_for_a_branch_alone():
    """The counterpart: were the module never called, all of the above would hold."""
    plain, mixed = wired_model("llama_gqa", ISOLATED), model_with(trained(), ISOLATED)
    for request in REQUESTS:
        (expected,), (group,) = (decoded(model, ISOLATED, [request]) for model in (plain, mixed))
        first, other = (answers[1][1][0] for answers in (expected, group))
        assert differ(first, other) == (len(request.prompts) > 1)


def test_groups_decoded_side_by_side_do_not_meet():
    model = model_with(trained(), ISOLATED)
    together = decoded(model, ISOLATED, REQUESTS, max_groups=3)
    for request, group in zip(REQUESTS, together, strict=True):
        (alone,) = decoded(model, ISOLATED, [request])
        for number, (ids, logits) in group.items():
            assert ids == alone[number][0]
            assert_close(logits, alone[number][1])
