"""Question groups become answer rows, whatever the method and whoever answers.

Every method reads the same texts and the same token ids. The checkpoint's own prompt template wraps
them where it was trained with one, else the dataset's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tqdm import tqdm

from pmind.decoding.decoder import ParallelDecoder
from pmind.decoding.engine import DecodeStats
from pmind.errors import DecodingError
from pmind.evaluation.rows import AnswerRow, QuestionTimes
from pmind.methods import METHODS, Method
from pmind.methods.group import GroupPrompts
from pmind.methods.local import LocalEngine, option_tokens
from pmind.methods.rounds import Engine, Reply, run_rounds
from pmind.tasks.dataset import Dataset
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

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
    """Rows and times of all questions, in the order of their groups, and what decoding them cost."""

    rows: list[AnswerRow]
    times: list[QuestionTimes]
    stats: DecodeStats


def asking_for(decoder: ParallelDecoder, name: str, dataset: Dataset) -> Asking:
    """Ask as the checkpoint was trained to be asked, else as is usual for the dataset."""
    if decoder.settings.prompt_template:
        return Asking(name, dataset.scoring, PromptTemplate(**decoder.settings.prompt_template))
    return Asking(name, dataset.scoring, dataset.template, dataset.stop)


def fitting_groups(
    decoder: ParallelDecoder, groups: Sequence[QuestionGroup], asking: Asking, max_new_tokens: int
) -> tuple[list[QuestionGroup], int]:
    """Leave out questions that go beyond the model's positions with their context and answer; tells how many."""
    positions = getattr(decoder.model.config, "max_position_embeddings", None)
    if positions is None:
        return list(groups), 0
    kept = []
    for group in groups:
        prompts = GroupPrompts(group, asking.template, max_new_tokens)
        room = positions - decoder.context_tokens(asking.template.render_context(group))
        fits = tuple(
            question for index, question in enumerate(group.questions) if _columns(decoder, prompts, index) <= room
        )
        if fits:
            kept.append(replace(group, questions=fits))
    asked = sum(len(group.questions) for group in groups)
    return kept, asked - sum(len(group.questions) for group in kept)


def _columns(decoder: ParallelDecoder, prompts: GroupPrompts, index: int) -> int:
    """Columns that a question's prompt takes with its answer or its longest option."""
    prompt = prompts.prompt(index)
    options = map(len, option_tokens(decoder, prompt))
    return len(decoder.encode(prompt.flat)) + max(prompts.max_new_tokens, *options, 0)


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

    Raises:
        DecodingError: an unknown method, an empty question, or a group that does not fit the model.
        ModelError: there are options to score, but the tokenizer has no stop token.
    """
    way = find_method(method)
    keeps = way.needs_answers and max_groups == 1
    engine = LocalEngine(decoder, way.passes, branches=branches, max_groups=max_groups, keep_contexts=keeps)
    together = max_groups if way.needs_answers else AHEAD * max_groups
    replies = ask_groups(engine, way, groups, asking, max_new_tokens=max_new_tokens, together=together, title=title)
    rows, times = answer_rows(groups, replies, asking, method)
    return Answered(rows, times, engine.stats)


def ask_groups(
    engine: Engine,
    method: Method,
    groups: Sequence[QuestionGroup],
    asking: Asking,
    *,
    max_new_tokens: int,
    together: int,
    title: str = "ask",
) -> list[list[Reply]]:
    """A reply to every question of every group.

    Args:
        engine: who answers.
        method: what is asked when.
        groups: questions with their contexts.
        asking: how they are put.
        max_new_tokens: most tokens of an answer.
        together: groups that are under way at a time.
        title: heads the progress bar, which there is none without.
    """
    replies: list[list[Reply]] = []
    total = sum(len(group.questions) for group in groups)
    with tqdm(total=total, desc=title, unit="question", disable=None if title else True) as bar:
        for part in _parts(groups, together):
            prompts = [GroupPrompts(group, asking.template, max_new_tokens, asking.stop) for group in part]
            replies += run_rounds(engine, [method.rounds(group) for group in prompts])
            bar.update(sum(len(group.questions) for group in part))
    return replies


def answer_rows(
    groups: Sequence[QuestionGroup], replies: Sequence[Sequence[Reply]], asking: Asking, method: str
) -> tuple[list[AnswerRow], list[QuestionTimes]]:
    """Rows and times of all questions, in the order of their groups."""
    answered = [
        (group, question, reply)
        for group, found in zip(groups, replies, strict=True)
        for question, reply in zip(group.questions, found, strict=True)
    ]
    rows = [_row(*entry, asking, method) for entry in answered]
    times = [QuestionTimes(question.id, reply.first_token_s, reply.total_s) for _, question, reply in answered]
    return rows, times


def find_method(name: str) -> Method:
    """The method of that name.

    Raises:
        DecodingError: names all there are.
    """
    if name not in METHODS:
        raise DecodingError(f"unknown method {name!r}; use {', '.join(METHODS)}")
    return METHODS[name]


def _parts(groups: Sequence[QuestionGroup], size: int) -> Iterator[Sequence[QuestionGroup]]:
    return (groups[first : first + size] for first in range(0, len(groups), size))


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
