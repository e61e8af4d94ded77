"""pmind ask | benchmark | layout | results | keep: the command line.

Heavy imports wait until a command needs them, so that --help answers at once.
"""

import dataclasses
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pmind.errors import DataError, DecodingError, PmindError
from pmind.params import DtypeName, VisibilityName
from pmind.stage import INTERRUPT_EXIT, new_app, run_app

if TYPE_CHECKING:
    from pmind.decoding.branches import GroupRequest
    from pmind.decoding.decoder import Answer, ParallelDecoder
    from pmind.decoding.engine import DecodeStats

MethodName = Literal["parallel", "sequential", "sequential_cached", "batch"]
AlignmentName = Literal["own", "right", "left"]
DEFAULT_METHODS = "sequential,sequential_cached,batch,batch_cached,parallel"
LOAD_GROUPS, LOAD_AT_A_TIME = 24, 4  # groups of the load test, and most of them decoded together

app = new_app(no_args_is_help=True)


def run() -> None:
    """Entry point of the ``pmind`` command."""
    run_app(app)


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    """Many questions about one context in one decoding pass of a language model."""
    if version:
        print(importlib.metadata.version("pmind"))
        raise typer.Exit


@app.command()
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


@app.command()
def benchmark(
    model: Annotated[str, typer.Option(help="Folder, Hub id, or a preset with random weights; see below.")],
    context: Annotated[int, typer.Option(min=0, help="Tokens of the context.")] = 1024,
    prompt: Annotated[int, typer.Option(min=1, help="Tokens of every prompt.")] = 16,
    answer: Annotated[int, typer.Option(min=2, help="Tokens of every answer; stop tokens do not end one.")] = 32,
    branches: Annotated[str, typer.Option(help="Questions of the group, separated by commas.")] = "1,8,16",
    methods: Annotated[str, typer.Option(help="What to time, separated by commas; see below.")] = DEFAULT_METHODS,
    dtype: Annotated[DtypeName, typer.Option(help="Of weights and cache.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; torch's choice when left out.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs of each row, after one warm-up.")] = 5,
    memory: Annotated[bool, typer.Option(help="Measure peak memory, each row once more in its own process.")] = True,
    load: Annotated[str, typer.Option(help="Also serve a stream of groups, at these shares of capacity.")] = "",
    url: Annotated[str, typer.Option(help="Address of the method server, such as http://127.0.0.1:8000/v1.")] = "",
    seed: Annotated[int, typer.Option(help="Of random tokens and random weights.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Keep the JSON here, too, after every round of repeats.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Time ways of answering a group, interleaved in one run.

    Presets: tiny, minimind-26m, minimind-104m, qwen2.5-0.5b, qwen2.5-1.5b, qwen2.5-7b, llama-3-8b.

    Methods: parallel, parallel_columnar, sequential_cached and no_attention are ours; sequential, batch,
    batch_cached and all_in_one are transformers' generate; openvino, llamacpp and vllm run where
    they are installed; server speaks the OpenAI completions API at --url.

    Example: pmind benchmark --model minimind-26m --branches 1,8 --methods sequential,batch_cached,parallel
    """
    import torch

    from pmind.benchmark.harness import Plan, Result, run_benchmark, run_load_test
    from pmind.benchmark.load import Stream
    from pmind.benchmark.terminal import print_load, print_rows
    from pmind.benchmark.workload import Workload

    plan = Plan(
        model=model,
        workload=Workload(context, prompt, answer, seed),
        branches=tuple(_numbers("branches", branches, int)),
        methods=tuple(filter(None, methods.split(","))),
        dtype=dtype,
        device=device,
        threads=threads or torch.get_num_threads(),
        repeats=repeats,
        memory=memory,
        url=url,
    )

    def report(result: Result) -> dict[str, Any]:
        rows = [dataclasses.asdict(row) for row in result.rows]
        return {"rows": rows, "conditions": result.conditions, "failures": result.failures}

    def save(content: dict[str, Any]) -> None:
        if out:
            out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    result = run_benchmark(plan, on_round=lambda result: save(report(result)))
    content = report(result)
    if load and not result.interrupted:
        stream = Stream(LOAD_GROUPS, max(plan.branches), LOAD_AT_A_TIME, tuple(_numbers("load", load, float)))
        content["load"] = run_load_test(plan, stream)
    save(content)
    if as_json:
        print(json.dumps(content))
    else:
        print_rows(result)
        if "load" in content:
            print_load(content["load"])
    for failure in result.failures:
        print(f"not measured: {failure}", file=sys.stderr)
    if result.interrupted:
        print("interrupted: the rows hold what was timed until then", file=sys.stderr)
        raise typer.Exit(INTERRUPT_EXIT)
    if result.failures:
        raise typer.Exit(1)


@app.command()
def layout(
    context: Annotated[int, typer.Option(min=0, help="Tokens of the context.")] = 8,
    prompt: Annotated[
        list[int] | None, typer.Option(min=1, help="Tokens of a prompt; repeat. [default: 4, 3, 2]")
    ] = None,
    answer: Annotated[int, typer.Option(min=0, help="Answer tokens of every branch.")] = 2,
    visibility: Annotated[VisibilityName, typer.Option(help="Who sees whom.")] = "columnar",
    alignment: Annotated[str, typer.Option(help="own, right, left or auto (the visibility's default).")] = "auto",
    mask: Annotated[bool, typer.Option(help="Print the mask too.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Save columns and mask as .png, .svg or .pdf.")] = None,
) -> None:
    """Draw a group's columns, and its mask.

    Example: pmind layout --context 8 --prompt 4 --prompt 3 --prompt 2 --alignment left --picture layout.png
    """
    from pmind.analysis.layout_picture import draw_layout, layout_text, mask_text
    from pmind.geometry import build_layout
    from pmind.visibility import VISIBILITIES, resolve_alignment

    alignment = resolve_alignment(alignment, visibility)
    lengths = prompt or [4, 3, 2]
    group = build_layout(
        [0] * context, [[0] * length for length in lengths], [[0] * answer for _ in lengths], alignment=alignment
    )
    print(layout_text(group))
    if mask:
        print(f"\n{mask_text(group, VISIBILITIES[visibility])}")
    if picture:
        title = f"alignment {alignment}, visibility {visibility}"
        _save(lambda: draw_layout(group, VISIBILITIES[visibility], title, picture), picture)
        print(f"\nsaved {picture}")


@app.command()
def results(
    metrics: Annotated[Path, typer.Option(help="Folder the pipeline wrote.")] = Path("metrics"),
    report: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("data/report"),
    readme: Annotated[Path | None, typer.Option(help="Write the tables between this file's result marks.")] = None,
) -> None:
    """Print the tables of the last pipeline run, and where its report is.

    Example: pmind results
    """
    from pmind.reports.metrics import read_kept, read_metrics
    from pmind.reports.readme import fill_readme
    from pmind.reports.render import print_summary

    measured = read_metrics(metrics)
    print_summary(measured)
    if readme:
        fill_readme(readme, measured, read_kept(metrics))
    page = report / "report.html"
    print(f"report: {page}" if page.is_file() else "report: not written yet, run dvc repro report")


@app.command()
def keep(
    name: Annotated[str, typer.Argument(help="How reports call this run, such as rope_2d_ratio=0.")],
    metrics: Annotated[Path, typer.Option(help="Folder the pipeline wrote.")] = Path("metrics"),
) -> None:
    """Keep the current run's scores, so that later reports show them beside their own.

    Example: pmind keep rope_2d_ratio=0
    """
    from pmind.reports.metrics import keep as keep_run

    print(f"kept in {keep_run(metrics, name)}; dvc repro report shows it")


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
    template = decoder.settings.prompt_template
    around_context = template.get("context", "{context}")
    around_question = prompt_template or template.get("prompt", "{question}")
    if "{question}" not in around_question:
        raise DecodingError(f"--prompt-template must hold {{question}}, not {around_question!r}")
    rendered = around_context.replace("{context}", context.strip()) if context else ""
    return decoder.encode_group(rendered, [around_question.replace("{question}", text) for text in questions])


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
    from pmind.methods import METHODS, answer_groups
    from pmind.terminal import AnswerBoard

    stats = DecodeStats()
    chosen = METHODS[method]
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


def _save(write: Any, path: Path) -> None:
    try:
        write()
    except (OSError, ValueError) as error:
        raise PmindError(f"{path}: cannot be written ({str(error).splitlines()[0]})") from error


def _numbers(option: str, text: str, kind: type) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",") if part]
    except ValueError as error:
        raise DecodingError(f"--{option} takes numbers separated by commas, such as 1,8,16; not {text!r}") from error
