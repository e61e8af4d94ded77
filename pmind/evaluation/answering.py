"""Question groups become answer rows, whatever the method and whoever answers.

Every method reads the same texts and the same token ids. The checkpoint's own prompt template wraps
them where it was trained with one, else the dataset's.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tqdm import tqdm

from pmind.decoding.decoder import ParallelDecoder
from pmind.decoding.texts import Texts
from pmind.errors import DecodingError
from pmind.evaluation.journal import Entry, Journal
from pmind.evaluation.rows import AnswerRow, QuestionTimes
from pmind.methods.catalog import REMOTE, find_method
from pmind.methods.collaborative import Collaboration
from pmind.methods.fitting import option_tokens
from pmind.methods.group import GroupPrompts
from pmind.methods.local import LocalEngine
from pmind.methods.rounds import Engine, Reply, Rounds, run_rounds
from pmind.tasks.dataset import Dataset
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

Spent = tuple[float, float]  # seconds in all, and before first tokens
AHEAD = 4  # times the groups that are decoded together: so many are under way at a time


@dataclass(frozen=True)
class Asking:
    """How the questions of one dataset are put to a model.

    Attributes:
        dataset: its name.
        scoring: how its answers will be scored.
        template: texts around a question.
        stop: texts that end an answer beside the stop token.
    """

    dataset: str
    scoring: str
    template: PromptTemplate
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """Rows and times of all questions, in the order of their groups, and what answering took.

    Attributes:
        rows: one a question.
        times: one a question.
        seconds: in all, the scoring of options not counted where the model is a local one.
        prefill_s: how much of that went by before first tokens; 0 where nobody can tell.
    """

    rows: list[AnswerRow]
    times: list[QuestionTimes]
    seconds: float
    prefill_s: float


def asking_for(model: ParallelDecoder | Texts | None, name: str, dataset: Dataset) -> Asking:
    """Ask as the checkpoint was trained to be asked, else as is usual for the dataset."""
    if model and model.settings.prompt_template:
        return Asking(name, dataset.scoring, PromptTemplate(**model.settings.prompt_template))
    return Asking(name, dataset.scoring, dataset.template, dataset.stop)


def fitting_groups(
    texts: Texts, groups: Sequence[QuestionGroup], asking: Asking, max_new_tokens: int
) -> tuple[list[QuestionGroup], int]:
    """Leave out questions that go beyond the model's positions with their context and answer; tells how many."""
    if texts.positions is None:
        return list(groups), 0
    kept = []
    for group in groups:
        prompts = GroupPrompts(group, asking.template, max_new_tokens)
        room = texts.positions - texts.context_tokens(asking.template.render_context(group))
        fits = tuple(
            question for index, question in enumerate(group.questions) if _columns(texts, prompts, index) <= room
        )
        if fits:
            kept.append(replace(group, questions=fits))
    asked = sum(len(group.questions) for group in groups)
    return kept, asked - sum(len(group.questions) for group in kept)


def _columns(texts: Texts, prompts: GroupPrompts, index: int) -> int:
    """Columns that a question's prompt takes with its answer or its longest option."""
    prompt = prompts.prompt(index)
    options = map(len, option_tokens(texts, prompt))
    return len(texts.encode(prompt.flat)) + max(prompts.max_new_tokens, *options, 0)


def answer_questions(
    decoder: ParallelDecoder,
    method: str,
    groups: Sequence[QuestionGroup],
    asking: Asking,
    *,
    max_new_tokens: int,
    branches: int,
    max_groups: int,
    title: str = "decode",
    journal: Journal | None = None,
    collaboration: Collaboration | None = None,
) -> Answered:
    """Answer every question of GROUPS by a local model, greedily, and score its options, if it has any.

    Args:
        decoder: the model.
        method: name of the way of answering, which scores options in the same passes.
        groups: questions with their contexts.
        asking: how they are put.
        max_new_tokens: most tokens of an answer, the stop token included.
        branches: most questions decoded together.
        max_groups: most groups decoded together, for methods that can.
        title: heads the progress bar.
        journal: holds the groups answered before, and is told of each.
        collaboration: how the methods that follow dependencies find them.

    Raises:
        DecodingError: an unknown method, an empty question, or a group that does not fit the model.
        ModelError: there are options to score, but the tokenizer has no stop token.
    """
    way = find_method(method, collaboration)
    keeps = way.needs_answers and max_groups == 1
    engine = LocalEngine(decoder, way.passes, branches=branches, max_groups=max_groups, keep_contexts=keeps)
    together = max_groups if way.needs_answers else AHEAD * max_groups
    prompts = [GroupPrompts(group, asking.template, max_new_tokens, asking.stop) for group in groups]
    entries = _ask_groups(engine, way.rounds, prompts, engine.spent, together, title, journal)
    return _collect(groups, entries, asking, method)


def answer_remotely(
    engine: Engine,
    method: str,
    groups: Sequence[QuestionGroup],
    asking: Asking,
    *,
    max_new_tokens: int,
    branches: int,
    max_groups: int,
    title: str = "ask",
    journal: Journal | None = None,
    collaboration: Collaboration | None = None,
) -> Answered:
    """Answer every question of GROUPS by an engine of somebody else's: a server, or one in this process.

    Args:
        engine: decides how many prompts are under way, and whether options are scored.
        method: name of the way of answering.
        groups: questions with their contexts.
        asking: how they are put.
        max_new_tokens: most tokens of an answer.
        branches: means nothing here.
        max_groups: groups that are under way at a time.
        title: heads the progress bar.
        journal: holds the groups answered before, and is told of each.
        collaboration: how the methods that follow dependencies find them.

    Raises:
        DecodingError: a method that takes our own decoder.
    """
    way = find_method(method, collaboration)
    if way.remote is None:
        raise DecodingError(f"{method!r} needs the model itself; a server answers {', '.join(REMOTE)}")
    prompts = [GroupPrompts(group, asking.template, max_new_tokens, asking.stop) for group in groups]
    entries = _ask_groups(engine, way.remote, prompts, _wall_clock, max_groups, title, journal)
    return _collect(groups, entries, asking, method)


def _ask_groups(
    engine: Engine,
    rounds: Callable[[GroupPrompts], Rounds],
    groups: Sequence[GroupPrompts],
    spent: Callable[[], Spent],
    together: int,
    title: str,
    journal: Journal | None,
) -> list[Entry]:
    """Replies of all groups, TOGETHER of them under way at a time; these share what the time they are took."""
    done = journal.read() if journal else {}
    waiting = [group for group in groups if group.group.id not in done]
    total = sum(group.size for group in groups)
    with tqdm(total=total, desc=title, unit="question", disable=None if title else True) as bar:
        bar.update(total - sum(group.size for group in waiting))
        for first in range(0, len(waiting), together):
            part = waiting[first : first + together]
            entries = _ask(engine, rounds, part, spent)
            if journal:
                journal.add(entries)
            done |= {entry.group: entry for entry in entries}
            bar.update(sum(group.size for group in part))
    return [done[group.group.id] for group in groups]


def _wall_clock() -> Spent:
    return time.perf_counter(), 0.0


def _ask(
    engine: Engine,
    rounds: Callable[[GroupPrompts], Rounds],
    groups: Sequence[GroupPrompts],
    spent: Callable[[], Spent],
) -> list[Entry]:
    before = spent()
    replies = run_rounds(engine, [rounds(group) for group in groups])
    seconds, prefill_s = ((end - start) / len(groups) for start, end in zip(before, spent(), strict=True))
    return [
        Entry(group.group.id, tuple(found), seconds, prefill_s) for group, found in zip(groups, replies, strict=True)
    ]


def _collect(groups: Sequence[QuestionGroup], entries: Sequence[Entry], asking: Asking, method: str) -> Answered:
    """Rows and times of all questions, in the order of GROUPS, whose ENTRIES these are."""
    answered = [
        (group, question, reply)
        for group, entry in zip(groups, entries, strict=True)
        for question, reply in zip(group.questions, entry.replies, strict=True)
    ]
    rows = [_row(*entry, asking, method) for entry in answered]
    times = [QuestionTimes(question.id, reply.first_token_s, reply.total_s) for _, question, reply in answered]
    return Answered(rows, times, sum(entry.seconds for entry in entries), sum(entry.prefill_s for entry in entries))


def _row(group: QuestionGroup, question: Question, reply: Reply, asking: Asking, method: str) -> AnswerRow:
    # a question of a dataset of choices that has no options is answered in free text
    scoring = "text" if asking.scoring == "choice" and not question.options else asking.scoring
    return AnswerRow(
        question_id=question.id,
        group_id=group.id,
        document=group.document_of(question),
        category=question.category,
        dataset=asking.dataset,
        scoring=scoring,
        branch=reply.branch,
        method=method,
        prompt=asking.template.render_prompt(question),
        question=question.text,
        references=question.answers,
        options=question.options,
        correct=question.correct,
        text=reply.text if scoring == "humaneval" else reply.text.strip(),  # code keeps its indentation
        token_ids=reply.token_ids,
        finish_reason=reply.finish_reason,
        columns=(reply.first_column, reply.first_column + reply.new_tokens - 1),
        option_scores=reply.option_scores,
        prompt_tokens=reply.prompt_tokens,
        new_tokens=reply.new_tokens,
        round=reply.round,
    )
