import pytest

from pmind.benchmark import timing
from pmind.benchmark.timing import Timing, time_rows, time_run
from pmind.benchmark.workload import Workload
from pmind.errors import DecodingError
from tests.tiny import VOCAB, decoder_of

WORK = Workload(context_tokens=6, prompt_tokens=3, answer_tokens=5)
ANY = Timing(total_s=1.0, ttft_s=1.0, prefill_s=1.0, decode_s=1.0, columns=1, tokens=1, kv_bytes=1)


@pytest.fixture(scope="module")
def decoder():
    return decoder_of(stop_ids=tuple(range(VOCAB)))  # any token would end an answer


@pytest.mark.parametrize(("method", "columns"), [("parallel", 4), ("sequential", 12), ("batch", 4)])
def test_every_answer_has_its_length_and_decode_columns_exclude_the_prefills(decoder, method, columns):
    measured, answers = time_run(decoder, WORK, method, 3)
    assert [len(answer) for answer in answers] == [5, 5, 5]
    assert measured.tokens == 15
    assert measured.columns == columns


def test_times_are_parts_of_the_total(decoder):
    measured, _ = time_run(decoder, WORK, "sequential", 3)
    assert 0 < measured.prefill_s + measured.decode_s <= measured.total_s
    assert 0 < measured.ttft_s < measured.total_s


def test_parallel_stores_the_context_once_and_batch_once_a_question(decoder):
    per_token = time_run(decoder, Workload(1, 1, 1), "parallel", 1)[0].kv_bytes // 2
    stored = {method: time_run(decoder, WORK, method, 3)[0].kv_bytes for method in ("parallel", "sequential", "batch")}
    branch = WORK.prompt_tokens + WORK.answer_tokens - 1
    tokens = {method: size / per_token for method, size in stored.items()}
    assert tokens == {"parallel": 6 + 3 * branch, "sequential": 6 + branch, "batch": 3 * (6 + branch)}


def test_methods_take_turns_and_the_first_round_is_thrown_away(decoder, monkeypatch):
    runs = []

    def fake_run(decoder, workload, *key):
        runs.append(key)
        return ANY, ((len(runs),),)

    monkeypatch.setattr(timing, "time_run", fake_run)
    keys = [("parallel", 1), ("batch", 1), ("parallel", 2)]
    calls = []
    timed = time_rows(decoder, WORK, keys, repeats=2, on_run=lambda: calls.append(1))
    assert runs == keys * 3
    assert len(calls) == 9
    assert all(len(row.timings) == 2 for row in timed.values())
    assert timed["parallel", 2].answers == ((9,),)


def test_a_workload_beyond_the_models_positions_is_an_error(decoder):
    with pytest.raises(DecodingError, match="512 positions"):
        time_rows(decoder, Workload(500, 8, 20), [("parallel", 1)], repeats=1)
