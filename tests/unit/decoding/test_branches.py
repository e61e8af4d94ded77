import pytest

from pmind.decoding.branches import GroupRequest, check_fits, start_branches
from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError, LayoutError
from pmind.models.settings import STOCK, Settings

OPTIONS = GenerationOptions(max_new_tokens=3)


def test_numbers_are_1_to_n_unless_given():
    assert GroupRequest((1,), ((2,), (3,))).numbers == (1, 2)
    assert GroupRequest((1,), ((2,), (3,)), (7, 4)).numbers == (7, 4)
    assert GroupRequest((1,), ((2, 3), (3,))).prompt_tokens == 3


@pytest.mark.parametrize(
    ("prompts", "numbers", "message"),
    [
        ((), (), "at least one question"),
        (((1,), ()), (), "branch 2 has 0 tokens"),
        (((1,), ()), (5, 8), "branch 8 has 0 tokens"),
        (((1,), (2,)), (1,), "2 prompts but 1 numbers"),
    ],
)
def test_requests_that_cannot_be_decoded(prompts, numbers, message):
    with pytest.raises(LayoutError, match=message):
        GroupRequest((9,), prompts, numbers)


@pytest.mark.parametrize(
    ("settings", "columns"),
    [
        (STOCK, [5, 3]),
        (Settings(alignment="right"), [5, 5]),
        (Settings(alignment="left", visibility="columnar"), [5, 5]),
    ],
)
def test_branches_start_where_the_layout_puts_their_answers(settings, columns):
    branches = start_branches(GroupRequest((9, 8), ((1, 2, 3), (4,))), settings, OPTIONS)
    assert [branch.column for branch in branches] == columns
    assert [branch.history for branch in branches] == [[9, 8, 1, 2, 3], [9, 8, 4]]


def test_finish_reasons():
    def finish(tokens, options=OPTIONS):
        branch = start_branches(GroupRequest((), ((1,),)), STOCK, options)[0]
        for token in tokens:
            assert branch.live
            branch.take(token, options, lambda answer: answer[-1] == 5)
        return branch.finish_reason

    assert finish([1, 2]) is None
    assert finish([1, 2, 3]) == "length"
    assert finish([1, 5]) == "stop"
    assert finish([1, 2, 5]) == "stop"  # a stop token in the last place is still a stop


def test_groups_that_do_not_fit():
    request = GroupRequest((1,) * 10, ((2,) * 4, (3,) * 2))
    check_fits(request, 7, STOCK, 20)  # columns 0 … 19: the last token is never fed
    check_fits(request, 99, STOCK, None)
    with pytest.raises(
        DecodingError,
        match=r"up to 10 \+ 4 \+ 8 tokens but the model has 20 .* allow answers of 7 tokens or less \(max_new_tokens\)",
    ):
        check_fits(request, 8, STOCK, 20)
    with pytest.raises(DecodingError, match=r"take 10 \+ 4 tokens but the model has 13 positions; shorten"):
        check_fits(request, 1, STOCK, 13)
