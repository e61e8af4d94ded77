"""pmind ask: answer questions about one context."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pmind.errors import DataError, DecodingError
from pmind.params import VisibilityName
from pmind.tasks.prompts import PromptTemplate

if TYPE_CHECKING:
    from pmind.decoding.branches import GroupRequest
    from pmind.decoding.decoder import Answer, ParallelDecoder
    from pmind.decoding.engine import DecodeStats

MethodName = Literal["parallel", "sequential", "sequential_cached", "batch"]
AlignmentName = Literal["own", "right", "left"]


def ask(
    model: Annotated[str, typer.Option(help="Model folder or Hub id.")],
    question: Annotated[list[str], typer.Option(help="A question; repeat for more.")],
    context_file: Annotated[str | None, typer.Option(help="Text all questions share; - reads stdin.")] = None,
    method: Annotated[MethodName, typer.Option(help="How the group is put to the model.")] = "parallel",
    visibility: Annotated[VisibilityName | None, typer.Option(help="Who sees whom; as trained.")] = None,
    alignment: Annotated[AlignmentName | None, typer.Option(help="Where prompts stand; as trained.")] = None,
    rope_2d_ratio: Annotated[float | None, typer.Option(help="Share of branch-carrying pairs; as trained.")] = None,
    override: Annotated[bool, typer.Option(help="Allow settings the checkpoint was not trained with.")] = False,
    max_new_tokens: Annotated[int, typer.Option(help="Most tokens of an answer.")] = 64,
    prompt_template: Annotated[
        str | None, typer.Option(help="Text around {question}; the checkpoint's own, else the bare question.")
    ] = None,
    do_sample: Annotated[bool, typer.Option(help="Draw tokens instead of taking the likeliest.")] = False,
    temperature: Annotated[float, typer.Option(help="With --do-sample.")] = 1.0,
    top_p: Annotated[float, typer.Option(help="With --do-sample.")] = 1.0,
    top_k: Annotated[int, typer.Option(help="With --do-sample; 0 keeps all.")] = 0,
    stop: Annotated[list[str] | None, typer.Option(help="End an answer before this text; repeat for more.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random streams.")] = 0,
    branches: Annotated[int, typer.Option(min=1, help="Most questions decoded together.")] = 64,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16 or float64.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; torch's choice when left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Answer questions about one context.

    Example: pmind ask --model data/models/squad --context-file passage.txt --question "In Torvale, who is the painter?"
    """
    context = _read_context(context_file)
    import torch

    from pmind.decoding.decoder import ParallelDecoder
    from pmind.decoding.options import GenerationOptions

    options = GenerationOptions(
        max_new_tokens=max_new_tokens,
        do_sample=do_sample,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        stop_strings=tuple(stop or ()),
        seed=seed,
    )
    if threads:
        torch.set_num_threads(threads)
    requested = {"visibility": visibility, "alignment": alignment, "rope_2d_ratio": rope_2d_ratio}
    decoder = ParallelDecoder.from_pretrained(model, override=override, dtype=dtype, device=device, **requested)
    request = _render(decoder, context, question, prompt_template)
    answers, stats = _answer(decoder, method, request, question, options, branches, quiet=as_json)
    if as_json:
        chosen = dataclasses.asdict(options) | dataclasses.asdict(decoder.settings)
        settings = {"model": model, "method": method, **chosen}
        print(json.dumps(_report(request, question, answers, stats, settings), ensure_ascii=False))
    else:
        print(f"{stats.tokens} tokens in {stats.columns} columns, {_timing(stats)['tokens_per_s']:.0f} tokens/s")


def _read_context(name: str | None) -> str:
    if name is None:
        return ""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"--context-file {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"--context-file {name}: not UTF-8 text (byte {error.start})") from error
    if not text.strip():
        raise DataError(f"--context-file {name}: the file is empty; leave the option out to ask without a context")
    return text


def _render(
    decoder: "ParallelDecoder", context: str, questions: list[str], prompt_template: str | None
) -> "GroupRequest":
    for number, question in enumerate(questions, start=1):
        if not question.strip():
            raise DecodingError(f"question {number} is empty; give every --question a text")
    asked = {"prompt": prompt_template} if prompt_template else {}
    template = PromptTemplate(**{"context": "{context}", **decoder.settings.prompt_template, **asked})
    rendered = template.context.format(context=context.strip()) if context else ""
    return decoder.encode_group(rendered, [template.prompt.format(question=text, options="") for text in questions])


def _answer(
    decoder: "ParallelDecoder",
    method: MethodName,
    request: "GroupRequest",
    questions: list[str],
    options: Any,
    branches: int,
    quiet: bool,
) -> tuple[list["Answer"], "DecodeStats"]:
    from rich.console import Console

    from pmind.decoding.engine import DecodeStats
    from pmind.methods.catalog import PASSES
    from pmind.methods.passes import answer_groups
    from pmind.terminal import AnswerBoard

    stats = DecodeStats()
    chosen = PASSES[method]
    if quiet:
        return answer_groups(decoder, chosen, [request], options, branches=branches, stats=stats)[0], stats
    board = AnswerBoard(Console(), questions)
    with board.streaming():
        stream = _Stream(decoder, board, chosen.split(request, branches), options)
        answers = answer_groups(
            decoder, chosen, [request], options, branches=branches, stats=stats, on_event=stream.take
        )[0]
    if not sys.stdout.isatty():
        board.print_plain()
    return answers, stats


class _Stream:
    """Turns column events into text on the board."""

    def __init__(self, decoder: "ParallelDecoder", board: Any, passes: list["GroupRequest"], options: Any) -> None:
        self._decoder, self._board, self._options = decoder, board, options
        starts = [sum(len(earlier.prompts) for earlier in passes[:place]) for place in range(len(passes))]
        self._question = {
            (place, number): start + index
            for place, (start, single) in enumerate(zip(starts, passes, strict=True))
            for index, number in enumerate(single.numbers)
        }
        self._tokens: dict[int, list[int]] = {question: [] for question in self._question.values()}

    def take(self, event: Any) -> None:
        for token in event.tokens:
            question = self._question[event.group, token.branch]
            self._tokens[question].append(token.token_id)
            answer = self._decoder.answer(self._tokens[question], token.finish_reason or "length", self._options)
            self._board.show(question, answer.text, done=token.finish_reason is not None)


def _report(
    request: "GroupRequest",
    questions: list[str],
    answers: list["Answer"],
    stats: "DecodeStats",
    settings: dict[str, Any],
) -> dict[str, Any]:
    return {
        "context_ids": list(request.context),
        "answers": [
            {
                "question": question,
                "prompt_ids": list(prompt),
                "token_ids": list(answer.token_ids),
                "text": answer.text,
                "finish_reason": answer.finish_reason,
            }
            for question, prompt, answer in zip(questions, request.prompts, answers, strict=True)
        ],
        "timing": _timing(stats),
        "settings": settings,
    }


def _timing(stats: "DecodeStats") -> dict[str, float | int]:
    seconds = stats.prefill_s + stats.decode_s
    return {
        "prefill_s": stats.prefill_s,
        "decode_s": stats.decode_s,
        "tokens_per_s": stats.tokens / seconds,
        "columns": stats.columns,
    }
