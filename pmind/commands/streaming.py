"""A group answered for a person: on the board while the answers are written, and told as JSON or as text."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.console import Console

from pmind.decoding.decoder import ParallelDecoder
from pmind.decoding.engine import DecodeStats
from pmind.decoding.options import GenerationOptions
from pmind.methods.all_in_one import all_in_one, read_back
from pmind.methods.at_once import at_once
from pmind.methods.group import GroupPrompts
from pmind.methods.local import LocalEngine
from pmind.methods.method import Method
from pmind.methods.rounds import Reply, run_rounds
from pmind.methods.transcript import Entry, Transcript, listed
from pmind.terminal import AnswerBoard


@dataclass(frozen=True)
class Asked:
    """A group, and how it is put to a model.

    Attributes:
        decoder: the model.
        way: the method.
        group: the questions.
        options: how tokens are chosen.
        branches: most questions decoded together.
    """

    decoder: ParallelDecoder
    way: Method
    group: GroupPrompts
    options: GenerationOptions
    branches: int


@dataclass(frozen=True)
class Answered:
    """What became of it.

    Attributes:
        replies: one a question.
        transcript: all that was asked.
        stats: what decoding cost.
    """

    replies: list[Reply]
    transcript: Transcript
    stats: DecodeStats


def answer(asked: Asked, show: Callable[[Entry], None]) -> Answered:
    """Answer a group, telling SHOW of every token.

    Raises:
        DecodingError: a prompt does not fit the model.
    """
    transcript = Transcript(asked.decoder, asked.group, show)
    engine = LocalEngine(
        asked.decoder,
        asked.way.passes,
        branches=asked.branches,
        keep_contexts=asked.way.needs_answers,
        options=asked.options,
        listener=transcript,
    )
    (replies,) = run_rounds(engine, [asked.way.rounds(asked.group)])
    return Answered(replies, transcript, engine.stats)


def answer_visibly(asked: Asked) -> Answered:
    """Answer a group side by side on a terminal, or one below the other in a pipe, once all are there."""
    console = Console()
    board = AnswerBoard(console, [question.text for question in asked.group.group.questions])
    with board.streaming():
        answered = answer(asked, partial(_show, board, asked))
    if not console.is_terminal:
        board.print_plain()
    return answered


def account(asked: Asked, answered: Answered) -> list[str]:
    """What was asked when, of methods that do not ask everything once, and what it took; a line each."""
    times = timing(answered.stats)
    cost = f"{answered.stats.tokens} tokens in {times['columns']} columns, {times['tokens_per_s']:.0f} tokens/s"
    if asked.way.rounds is at_once:
        return [cost]
    missing = [number for number, reply in enumerate(answered.replies, 1) if reply.finish_reason == "missing"]
    lacks = f"; its reply has no answer to {listed(missing)}" if missing else ""
    return [answered.transcript.told() + lacks, cost]


def report(asked: Asked, answered: Answered) -> dict[str, Any]:
    """Every answer with its tokens, the prompts that were about all questions, and the times."""
    own = {entry.question: entry for entry in answered.transcript.entries if entry.question is not None}
    answers = [
        {
            "question": question.text,
            **_tokens(asked.decoder, own.get(index)),
            "text": reply.text,
            "finish_reason": reply.finish_reason,
            "round": reply.round,
            "needs": list(own[index].needs) if index in own else [],
        }
        for index, (question, reply) in enumerate(zip(asked.group.group.questions, answered.replies, strict=True))
    ]
    others = [
        {
            **_tokens(asked.decoder, entry),
            "text": entry.text,
            "finish_reason": entry.finish_reason,
            "round": entry.round,
        }
        for entry in answered.transcript.entries
        if entry.question is None
    ]
    return {"answers": answers, "other_prompts": others, "timing": timing(answered.stats)}


def timing(stats: DecodeStats) -> dict[str, float | int]:
    """Seconds, tokens a second and columns."""
    seconds = stats.prefill_s + stats.decode_s
    return {
        "prefill_s": stats.prefill_s,
        "decode_s": stats.decode_s,
        "tokens_per_s": stats.tokens / seconds,
        "columns": stats.columns,
    }


def _show(board: AnswerBoard, asked: Asked, entry: Entry) -> None:
    done, size = entry.finish_reason is not None, asked.group.size
    if entry.question is not None:
        board.show(entry.question, entry.text, done, entry.note)
    elif asked.way.rounds is all_in_one:
        for index, text in enumerate(read_back(entry.text, size)):
            board.show(index, text or "", done, "no answer in the reply" if done and text is None else "")
    else:
        for index in range(size):
            board.show(index, "", False, "dependencies first")


def _tokens(decoder: ParallelDecoder, entry: Entry | None) -> dict[str, list[int]]:
    """Token ids of a prompt and its answer; none of a question that had no prompt of its own."""
    prompt = decoder.encode(entry.prompt.flat) if entry else ()
    return {"prompt_ids": list(prompt), "token_ids": list(entry.token_ids) if entry else []}
