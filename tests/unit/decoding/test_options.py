import pytest

from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, not 0"),
        ({"temperature": 0.0}, r"temperature must be above 0 \(use do_sample=False for greedy\), not 0\.0"),
        ({"temperature": float("nan")}, "temperature must be above 0"),
        ({"top_k": -1}, "top_k must be at least 0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1"),
        ({"top_p": 1.1}, "top_p must be above 0 and at most 1"),
        ({"repetition_penalty": 0.0}, "repetition_penalty must be above 0"),
        ({"stop_strings": ("a", "")}, "stop_strings must be texts that are not empty"),
    ],
)
def test_values_out_of_range(values, message):
    with pytest.raises(DecodingError, match=message):
        GenerationOptions(**values)


def test_greedy_by_default():
    options = GenerationOptions()
    assert not options.do_sample
    assert options.repetition_penalty == options.top_p == options.temperature == 1
