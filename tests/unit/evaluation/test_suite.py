import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest

from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import DecodingError
from pmind.evaluation.answering import Answered, Asking, answer_questions
from pmind.evaluation.processes import Processes
from pmind.evaluation.rows import QuestionTimes, read_rows, read_times, times_path
from pmind.evaluation.suite import Plan, answer_cell, cells
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup
from tests.tiny import decoder_of

GROUPS = [
    QuestionGroup(
        f"g{number}",
        f"d{number}",
        "w5 w6 w7 w8",
        tuple(Question(f"q{number}-{n}", f"w{10 * number + n} w{n + 3}", (f"w{n}",)) for n in range(1, 4)),
    )
    for number in range(1, 4)
]
ASKING = Asking("squad", "squad", PromptTemplate())
LIMITS = {"max_new_tokens": 5, "max_groups": 1}
PLAN = Plan("tiny", "squad", "data.json", {"dtype": "float32"}, 5)


@pytest.fixture(scope="module")
def decoder():
    return decoder_of(stop_ids=(7,))


@dataclass
class Asked:
    """Puts questions to the model, and counts how often."""

    decoder: ParallelDecoder
    number: int = 0
    change: Callable[[Answered], Answered] = lambda answered: answered

    def __call__(self, *args, asking=ASKING, max_groups=1, max_new_tokens=5, **given):
        self.number += 1
        limits = {"max_new_tokens": max_new_tokens, "max_groups": max_groups}
        return self.change(answer_questions(self.decoder, *args, asking=asking, **limits, **given))


@pytest.fixture
def runs(decoder):
    return Asked(decoder)


@pytest.fixture
def answer(runs, tmp_path):
    def run(cell=("parallel", 2), groups=GROUPS, plan=PLAN, asking=ASKING, max_groups=1, **changes):
        ask = partial(runs, asking=asking, max_groups=max_groups, max_new_tokens=plan.max_new_tokens)
        return answer_cell(ask, cell, groups, asking, plan, tmp_path, Processes(), **changes)

    return run


def test_a_method_that_asks_one_at_a_time_has_one_cell():
    assert cells(["sequential", "sequential_cached", "batch"], [2, 4, 2]) == [
        ("sequential", 1), ("sequential_cached", 1), ("batch", 2), ("batch", 4)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("methods", "branches", "message"),
    [
        (["paralel"], [1], "unknown method 'paralel'; use parallel, sequential, "),
        ([], [1], "at least one method"),
        (["parallel"], [], "at least one method, and one number of branches"),
        (["parallel"], [4, 0], "each at least 1"),
    ],
)
def test_cells_that_are_none(methods, branches, message):
    with pytest.raises(DecodingError, match=message):
        cells(methods, branches)


@pytest.mark.parametrize("max_groups", [1, 2])
@pytest.mark.parametrize("cell", [("parallel", 1), ("parallel", 2), ("parallel", 3), ("batch", 2)])
def test_a_lossless_model_answers_as_one_question_at_a_time(answer, cell, max_groups):
    ours, sequential = answer(cell, max_groups=max_groups), answer(("sequential", 1))
    assert [entry.question_id for entry in ours.rows] == [q.id for group in GROUPS for q in group.questions]
    for mine, theirs in zip(ours.rows, sequential.rows, strict=True):
        assert (mine.question_id, mine.text, mine.token_ids, mine.finish_reason) == (
            theirs.question_id, theirs.text, theirs.token_ids, theirs.finish_reason
        )  # fmt: skip
    assert len({entry.text for entry in ours.rows}) > 1
    assert ours.tokens == sequential.tokens


def test_a_second_run_reads_what_the_first_answered(answer, runs):
    first = answer()
    assert answer() == first
    assert runs.number == 1
    assert answer(("parallel", 3)).rows != first.rows  # the same answers, as other branches
    assert runs.number == 2


@pytest.mark.parametrize(
    "change",
    [
        {"plan": replace(PLAN, max_new_tokens=4)},
        {"plan": replace(PLAN, settings={"dtype": "bfloat16"})},
        {"plan": replace(PLAN, source="other.json")},
        {"asking": replace(ASKING, template=PromptTemplate(prompt="w9 {question}"))},
        {"asking": replace(ASKING, stop=("w9",))},
        {"groups": GROUPS[1:]},
        {"groups": [replace(GROUPS[0], context="w4"), *GROUPS[1:]]},
    ],
    ids=["plan", "settings", "source", "template", "stop", "fewer", "context"],
)
def test_what_could_change_an_answer_answers_again(answer, runs, change):
    answer()
    changed = answer(**change)
    assert runs.number == 2
    assert answer(**change) == changed
    assert runs.number == 2


def test_files_lie_beside_each_other(answer, tmp_path):
    answers = answer()
    path = tmp_path / "parallel-2.parquet"
    assert read_rows(path) == answers.rows
    assert [times.question_id for times in read_times(times_path(path))] == [r.question_id for r in answers.rows]
    record = json.loads((tmp_path / "parallel-2.json").read_text(encoding="utf-8"))
    assert sorted(record) == ["plan", "prefill_s", "seconds", "tokens"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "parallel-2.json", "parallel-2.parquet", "parallel-2.times.parquet"
    ]  # fmt: skip


def test_rows_of_a_run_that_was_killed_are_not_taken_for_an_earlier_plans(answer, runs, monkeypatch):
    first = answer()
    with monkeypatch.context() as broken:
        broken.setattr("pmind.evaluation.suite.write_times", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            answer(plan=replace(PLAN, max_new_tokens=2))
    assert answer().rows == first.rows
    assert runs.number == 3


def test_tokens_are_those_that_were_decoded(answer, decoder):
    """A stop token is decoded, too; a text that ends an answer is part of it."""
    plain = answer()
    assert {entry.finish_reason for entry in plain.rows} == {"stop", "length"}
    assert plain.tokens == sum(len(r.token_ids) + (r.finish_reason == "stop") for r in plain.rows)
    word = next(entry for entry in plain.rows if entry.finish_reason == "length").text.split()[1]
    cut = answer(asking=replace(ASKING, stop=(word,)))
    ended = {index for index, entry in enumerate(cut.rows) if word in decoder.tokenizer.decode(list(entry.token_ids))}
    assert ended
    stopped = {index for index, entry in enumerate(cut.rows) if entry.finish_reason == "stop"}
    assert cut.tokens == sum(len(r.token_ids) for r in cut.rows) + len(stopped - ended)


def test_repeats_give_the_median_of_their_seconds(answer, runs):
    seconds = iter([5.0, 2.0, 1.0])
    runs.change = lambda answered: replace(answered, seconds=next(seconds), prefill_s=0.5)
    answers = answer(repeats=3)
    assert (answers.seconds, answers.prefill_s) == (2.0, 0.5)
    assert runs.number == 3


def test_a_run_that_was_killed_asks_only_for_the_groups_that_are_missing(answer, runs, tmp_path, monkeypatch):
    monkeypatch.setattr("pmind.evaluation.answering.AHEAD", 1)
    generate, asked = ParallelDecoder.generate_groups, []

    def dies_at_the_third(self, requests, *args, **kwargs):
        asked.append(requests[0].context)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return generate(self, requests, *args, **kwargs)

    monkeypatch.setattr(ParallelDecoder, "generate_groups", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        answer()
    asked[2:] = []
    (journal,) = tmp_path.glob("*.jsonl")
    journal.write_bytes(journal.read_bytes()[:-20])  # the last line was cut off, too
    monkeypatch.setattr(ParallelDecoder, "generate_groups", lambda self, *args, **k: generate(self, *args, **k))
    again = answer()
    assert not list(tmp_path.glob("*.jsonl"))
    assert again.rows == answer_questions(runs.decoder, "parallel", GROUPS, ASKING, **LIMITS, branches=2).rows


def test_a_rank_that_is_not_the_first_writes_nothing(runs, decoder, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.distributed.gather_object", lambda mine, parts: None)
    monkeypatch.setattr("torch.distributed.barrier", lambda: None)
    monkeypatch.setattr("torch.distributed.broadcast_object_list", lambda decided: decided.__setitem__(0, False))
    processes = Processes(1, 2)
    assert answer_cell(runs, ("parallel", 2), GROUPS, ASKING, PLAN, tmp_path, processes) is None
    assert not list(tmp_path.iterdir())


def test_all_ranks_rows_are_put_in_the_order_of_the_groups(runs, decoder, tmp_path, monkeypatch):
    """The other rank's results are made here, without another process."""
    alone = answer_cell(runs, ("parallel", 2), GROUPS, ASKING, PLAN, tmp_path / "alone", Processes())
    theirs = answer_questions(decoder, "parallel", GROUPS[1::2], ASKING, max_new_tokens=5, branches=2, max_groups=1)
    others = [
        [(rows, times) for rows, times in zip([theirs.rows], [theirs.times], strict=True)],
        [(1e9, 1e8)],  # the slowest
    ]

    def gather(mine, parts):
        parts[:] = [mine, others.pop(0)]

    monkeypatch.setattr("torch.distributed.gather_object", gather)
    monkeypatch.setattr("torch.distributed.barrier", lambda: None)
    monkeypatch.setattr("torch.distributed.broadcast_object_list", lambda decided: None)
    together = answer_cell(runs, ("parallel", 2), GROUPS, ASKING, PLAN, tmp_path / "two", Processes(0, 2))
    assert together.rows == alone.rows
    assert together.tokens == alone.tokens
    assert (together.seconds, together.prefill_s) == (1e9, 1e8)
    two, one = (tmp_path / name / "parallel-2.parquet" for name in ("two", "alone"))
    assert two.read_bytes() == one.read_bytes()
    assert [entry.question_id for entry in read_times(times_path(two))] == [r.question_id for r in alone.rows]


def test_times_are_none_of_the_answers(answer, tmp_path):
    answer()
    times = read_times(times_path(tmp_path / "parallel-2.parquet"))
    assert all(isinstance(entry, QuestionTimes) for entry in times)
    first = (tmp_path / "parallel-2.parquet").read_bytes()
    (tmp_path / "parallel-2.json").unlink()
    answer()
    assert (tmp_path / "parallel-2.parquet").read_bytes() == first
