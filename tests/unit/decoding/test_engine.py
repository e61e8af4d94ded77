from unittest import mock

import pytest
import torch

from pmind.decoding import reader
from pmind.decoding.branches import GroupRequest
from pmind.decoding.engine import DecodeStats, decode
from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError
from pmind.models.settings import STOCK, Settings
from pmind.models.wiring import forward_pass
from tests.groups import SHAPES
from tests.tiny import POSITIONS, wired_model

REQUEST = SHAPES["ordinary"].request


def never(answer):
    return False


def run(requests, stops=never, max_groups=1, settings=STOCK, stats=None, **options):
    options = GenerationOptions(**{"max_new_tokens": 4} | options)
    return list(
        decode(wired_model(settings=settings), settings, requests, options, stops, max_groups=max_groups, stats=stats)
    )


def fed_columns(*arguments, **options):
    """The tokens (token, branch, column) of every pass."""
    passes = []

    def feed(model, token_ids, coords, *rest):
        passes.append([(token, *place) for token, place in zip(token_ids.tolist(), coords.tolist(), strict=True)])
        return forward_pass(model, token_ids, coords, *rest)

    with mock.patch.object(reader, "forward_pass", feed):
        events = run(*arguments, **options)
    return events, passes


def test_the_context_is_read_once_and_each_column_feeds_one_token_a_live_branch():
    events, passes = fed_columns([REQUEST])
    context, prompts, *columns = passes
    assert [token for token, *_ in context] == list(REQUEST.context)
    assert sorted(token for token, *_ in prompts) == sorted(token for prompt in REQUEST.prompts for token in prompt)
    assert len(columns) == 3  # the fourth token is chosen, never fed
    for step, column in enumerate(columns):
        chosen = [(token.token_id, token.branch) for token in events[step].tokens]
        assert [(token, branch) for token, branch, _ in column] == chosen


@pytest.mark.parametrize(
    ("settings", "starts"),
    [(STOCK, (12, 11, 10)), (Settings(visibility="columnar", alignment="right"), (12, 12, 12))],
)
def test_answers_stand_in_the_columns_of_the_layout(settings, starts):
    _, passes = fed_columns([REQUEST], settings=settings)
    for step, column in enumerate(passes[2:]):
        assert [place for *_, place in column] == [start + step for start in starts]


def test_a_stop_token_is_chosen_but_never_fed():
    first = run([REQUEST])[0].tokens
    stop = first[1].token_id
    assert [token.token_id for token in first].count(stop) == 1
    events, passes = fed_columns([REQUEST], stops=lambda answer: answer[-1] == stop)
    assert [token.finish_reason for token in events[0].tokens] == [None, "stop", None]
    assert all(token != stop for column in passes[2:] for token, *_ in column)
    assert {branch for column in passes[2:] for _, branch, _ in column} <= {1, 3}


def test_events_count_steps_and_keep_the_order_of_the_prompts():
    request = GroupRequest(REQUEST.context, REQUEST.prompts, (8, 2, 5))
    events = run([request])
    assert [event.step for event in events] == [0, 1, 2, 3]
    assert all([token.branch for token in event.tokens] == [8, 2, 5] for event in events)
    assert [token.finish_reason for token in events[-1].tokens] == ["length"] * 3


def test_a_finished_groups_place_goes_to_the_next():
    requests = [SHAPES[name].request for name in ("one_branch", "ordinary", "empty_context")]
    _, passes = fed_columns(requests, max_groups=2, max_new_tokens=2)
    assert len(passes) == 2 * 2 + 1 + 1 + 1  # two contexts with prompts and a column, then the group without context
    assert [len(fed) for fed in passes[4:]] == [1 + 3, 8, 3]


def test_single_token_answers_need_no_column():
    events, passes = fed_columns([REQUEST, REQUEST], max_new_tokens=1)
    assert [event.group for event in events] == [0, 1]
    assert len(passes) == 4


def test_nothing_is_computed_before_the_first_event_is_asked_for():
    passes = []
    with mock.patch.object(reader, "forward_pass", lambda *arguments: passes.append(1)):
        decode(wired_model(), STOCK, [REQUEST], GenerationOptions(), never)
    assert not passes


def test_what_a_run_costs():
    stats = DecodeStats()
    events = run([REQUEST, SHAPES["one_branch"].request], max_groups=2, stats=stats)
    assert stats.tokens == sum(len(event.tokens) for event in events) == 16
    assert stats.columns == 5  # each group's first tokens are one
    assert stats.kv_bytes > 0
    assert stats.first_token_s > 0
    assert stats.prefill_s > 0
    assert stats.decode_s > 0


def test_no_groups_no_events():
    assert run([]) == []


def test_errors_come_before_any_work():
    long = GroupRequest((1,) * POSITIONS, ((2,),))
    with pytest.raises(DecodingError, match="shorten the context or the question"):
        decode(wired_model(), STOCK, [REQUEST, long], GenerationOptions(), never)
    with pytest.raises(DecodingError, match="max_groups must be at least 1, not 0"):
        decode(wired_model(), STOCK, [REQUEST], GenerationOptions(), never, max_groups=0)


def test_no_gradients_are_kept():
    with torch.enable_grad(), mock.patch.object(reader, "forward_pass", wraps=forward_pass) as forward:
        seen = []
        forward.side_effect = lambda *arguments: seen.append(torch.is_inference_mode_enabled()) or mock.DEFAULT
        run([REQUEST])
    assert seen
    assert all(seen)
