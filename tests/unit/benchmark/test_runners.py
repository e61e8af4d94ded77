import pytest

from pmind.benchmark.runners.catalog import start
from pmind.benchmark.workload import Workload
from pmind.errors import DecodingError
from tests.tiny import VOCAB
from tests.unit.benchmark.conftest import OURS

WORK = Workload(context_tokens=12, prompt_tokens=3, answer_tokens=5)
LOSSLESS = tuple(method for method in OURS if method not in ("all_in_one", "parallel_columnar"))


def run(models, method, branches=3, work=WORK):
    return start(method, models).run(work.request(branches, VOCAB), work.answer_tokens)


@pytest.mark.parametrize("method", OURS)
def test_every_question_gets_an_answer_of_the_length_asked_for(models, method):
    assert [len(answer) for answer in run(models, method).answers] == [5, 5, 5]


@pytest.mark.parametrize("context", [0, 12])
@pytest.mark.parametrize("method", LOSSLESS)
def test_lossless_methods_agree(models, method, context):
    work = Workload(context, 3, 5, seed=3)
    assert run(models, method, work=work).answers == run(models, "sequential", work=work).answers


def test_all_in_one_and_columnar_read_something_else(models):
    reference = run(models, "sequential").answers
    assert run(models, "all_in_one").answers != reference
    assert run(models, "parallel_columnar").answers != reference


@pytest.mark.parametrize(
    ("method", "columns"),
    [
        ("parallel", 4),
        ("sequential", 12),
        ("sequential_cached", 12),
        ("batch", 4),
        ("batch_cached", 4),
        ("all_in_one", 14),
    ],
)
def test_columns_are_the_steps_after_each_pass_s_first_token(models, method, columns):
    assert run(models, method).columns == columns


@pytest.mark.parametrize("method", OURS)
def test_first_token_and_prefill_are_told(models, method):
    told = run(models, method)
    assert told.first_token_s > 0
    assert told.prefill_s > 0


def test_the_context_is_stored_once_by_parallel_and_once_a_question_by_batch(models):
    per_token = run(models, "parallel", 1, Workload(1, 1, 1)).kv_bytes // 2
    branch = WORK.prompt_tokens + WORK.answer_tokens - 1
    tokens = {method: run(models, method).kv_bytes / per_token for method in ("parallel", "batch", "batch_cached")}
    assert tokens == {"parallel": 12 + 3 * branch, "batch": 3 * (12 + branch), "batch_cached": 3 * (12 + branch)}


def test_without_attention_other_tokens_come_out(models):
    assert run(models, "no_attention").answers != run(models, "parallel").answers


def test_an_unknown_method_is_named(models):
    with pytest.raises(DecodingError, match=r"unknown method 'paralel'; use .*parallel"):
        start("paralel", models)
