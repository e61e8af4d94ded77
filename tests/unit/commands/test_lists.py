import pytest

from pmind.commands.lists import numbers, words
from pmind.errors import DecodingError


@pytest.mark.parametrize(("text", "values"), [("", ()), ("a", ("a",)), (" a ,b,,a", ("a", "b")), ("b,a", ("b", "a"))])
def test_words_are_kept_once_in_order(text, values):
    assert words(text) == values


def test_numbers_are_of_their_kind():
    assert numbers("branches", "8, 1,8", int) == (8, 1)
    assert numbers("load", "0.5,1", float) == (0.5, 1.0)


@pytest.mark.parametrize(("text", "kind"), [("1,many", int), ("1.5", int), ("half", float)])
def test_what_is_no_number_is_named_with_its_option(text, kind):
    with pytest.raises(DecodingError, match=f"--branches takes numbers separated by commas, .* not '{text}'"):
        numbers("branches", text, kind)
