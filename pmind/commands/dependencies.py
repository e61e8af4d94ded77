"""pmind dependencies: which question of a group needs another's answer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pmind.errors import DataError, ParamsError, PmindError

if TYPE_CHECKING:
    from pmind.dependencies.edges import Dependencies, Edge
    from pmind.dependencies.latency import Plan, Rates
    from pmind.dependencies.selection import Verdict

By = Literal["heuristic", "encoder", "model"]
SummaryName = Literal["mean", "max", "last"]


def dependencies(
    question: Annotated[list[str] | None, typer.Option(help="A question; repeat for more.")] = None,
    questions_file: Annotated[Path | None, typer.Option(help="More questions, one a line.")] = None,
    context: Annotated[str, typer.Option(help="Text that all questions share; for --by model.")] = "",
    context_file: Annotated[Path | None, typer.Option(help="The same from a file.")] = None,
    by: Annotated[
        By, typer.Option(help="Words alone, an encoder's attention, or a model that is asked.")
    ] = "heuristic",
    encoder: Annotated[str | None, typer.Option(help="Folder or Hub id of an encoder; for --by encoder.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model folder or Hub id; asked by --by model, and its tokenizer counts tokens.")
    ] = None,
    attention_threshold: Annotated[float, typer.Option(help="Least confidence of an encoder's candidate.")] = 0.6,
    attention_summary: Annotated[SummaryName, typer.Option(help="Of an encoder's layers and heads.")] = "mean",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of a model's proposal.")] = 256,
    min_confidence: Annotated[float, typer.Option(help="Candidates below it are dropped.")] = 0.35,
    token_cost: Annotated[float, typer.Option(help="Confidence that a token costs which an edge adds.")] = 0.01,
    max_sources: Annotated[int, typer.Option(help="Most answers that a question gets.")] = 3,
    budget: Annotated[int, typer.Option(help="Most tokens that all edges may add; 0 for no limit.")] = 0,
    answer_tokens: Annotated[int, typer.Option(min=1, help="Expected of an answer.")] = 16,
    prefill_rate: Annotated[float | None, typer.Option(help="Tokens read per second, to predict seconds.")] = None,
    column_ms: Annotated[float | None, typer.Option(help="Milliseconds of a decoding step, likewise.")] = None,
    picture: Annotated[Path | None, typer.Option("--picture", "--png", help="Save as .png, .svg or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell which question needs another's answer, in which rounds to ask, and what that takes.

    Tokens are counted by the tokenizer of --model, else of --encoder; without either, words count.

    Example: pmind dependencies --question "Who wrote Faust?" --question "Where was that person born?" --png faust.png
    """
    from pmind.dependencies.latency import plan_work
    from pmind.dependencies.selection import SelectionRules, source_cost, weigh_edges

    rules = SelectionRules(min_confidence, token_cost, max_sources, budget)
    rates = _rates(prefill_rate, column_ms)
    questions = _questions(question or [], questions_file)
    context = _context(context, context_file)
    tokens, context_tokens = _count_tokens(model or encoder, questions, context)
    if by == "encoder":
        candidates, said = _ask_encoder(encoder, questions, attention_threshold, attention_summary), {}
    elif by == "model":
        candidates, said = _ask_model(model, context, questions, max_new_tokens)
    else:
        candidates, said = _heuristic(questions), {}
    verdicts = weigh_edges(candidates, [source_cost(count, answer_tokens) for count in tokens], rules)
    chosen = _chosen(questions, verdicts)
    plan = plan_work(chosen, tokens, [answer_tokens] * len(questions), context_tokens)
    if picture:
        _save(questions, chosen, picture)
    report = _report(questions, by, verdicts, chosen, plan, rates) | said
    print(json.dumps(report, ensure_ascii=False) if as_json else _text(questions, chosen, report, picture))


def _questions(given: Sequence[str], path: Path | None) -> list[str]:
    lines = _read("--questions-file", path).splitlines() if path else []
    questions = [*given, *(line.strip() for line in lines if line.strip())]
    if not questions:
        raise ParamsError("no questions; give --question, once for each, or --questions-file")
    for number, question in enumerate(questions, start=1):
        if not question.strip():
            raise ParamsError(f"question {number} is empty; give every --question a text")
    return questions


def _context(given: str, path: Path | None) -> str:
    if given and path:
        raise ParamsError("--context and --context-file at once; give one of them")
    return (_read("--context-file", path) if path else given).strip()


def _read(option: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{option} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{option} {path}: not UTF-8 text (byte {error.start})") from error


def _rates(prefill_rate: float | None, column_ms: float | None) -> "Rates | None":
    from pmind.dependencies.latency import Rates

    if prefill_rate is None and column_ms is None:
        return None
    if prefill_rate is None or column_ms is None:
        raise ParamsError("seconds need both --prefill-rate and --column-ms; pmind benchmark measures them")
    return Rates(prefill_rate, column_ms / 1000)


def _count_tokens(counter: str | None, questions: Sequence[str], context: str) -> tuple[list[int], int]:
    if counter is None:
        from pmind.tasks.similarity import WORD

        return [len(WORD.findall(text)) for text in questions], len(WORD.findall(context))
    from pmind.models.loading import load_tokenizer

    tokenizer = load_tokenizer(counter)
    counts = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in [*questions, context]]
    return counts[:-1], counts[-1]


def _heuristic(questions: Sequence[str]) -> "list[Edge]":
    from pmind.dependencies.heuristic import propose_by_words

    return propose_by_words(questions)


def _ask_encoder(encoder: str | None, questions: Sequence[str], threshold: float, summary: SummaryName) -> "list[Edge]":
    if encoder is None:
        raise ParamsError("--by encoder needs --encoder, the folder or Hub id of an encoder such as BERT")
    from pmind.dependencies.encoder import load_encoder, propose_by_attention

    return propose_by_attention(load_encoder(encoder), questions, threshold=threshold, summary=summary)


def _ask_model(
    model: str | None, context: str, questions: Sequence[str], max_new_tokens: int
) -> "tuple[Sequence[Edge], dict[str, Any]]":
    """Candidates, and what to tell of the reply."""
    if model is None:
        raise ParamsError("--by model needs --model, the folder or Hub id of a model to ask")
    from pmind.decoding.decoder import ParallelDecoder
    from pmind.dependencies.proposals import parse_proposal, proposal_prompt

    decoder = ParallelDecoder.from_pretrained(model)
    template = _template(decoder, bool(context))
    head = template.context.format(context=context) if context else ""
    prompt = template.prompt.format(question=proposal_prompt(questions), options="")
    reply = decoder.generate(head, [prompt], max_new_tokens=max_new_tokens)[0].text
    proposal = parse_proposal(reply, len(questions))
    return proposal.edges, {"understood": proposal.understood, "ignored": proposal.ignored, "reply": reply}


def _template(decoder: Any, passage: bool) -> Any:
    """As the checkpoint was trained to be asked, else its tokenizer's chat template, else the bare text."""
    from pmind.tasks.chat import chat_template
    from pmind.tasks.prompts import PromptTemplate

    if decoder.settings.prompt_template or not decoder.tokenizer.chat_template:
        return PromptTemplate(**{"context": "{context}\n", **decoder.settings.prompt_template})
    return chat_template(decoder.tokenizer, passages=passage)


def _chosen(questions: Sequence[str], verdicts: "Sequence[Verdict]") -> "Dependencies":
    from pmind.dependencies.edges import Dependencies

    return Dependencies(len(questions), tuple(verdict.edge for verdict in verdicts if not verdict.rejected))


def _save(questions: Sequence[str], chosen: "Dependencies", path: Path) -> None:
    from pmind.dependencies.drawing import draw_dependencies

    try:
        draw_dependencies(questions, chosen, path)
    except (OSError, ValueError) as error:
        raise PmindError(f"{path}: cannot be written ({str(error).splitlines()[0]})") from error


def _report(
    questions: Sequence[str],
    by: By,
    verdicts: "Sequence[Verdict]",
    chosen: "Dependencies",
    plan: "Plan",
    rates: "Rates | None",
) -> dict[str, Any]:
    """Everything found; questions by their numbers, from 1."""
    ways = {"in_rounds": plan.in_rounds, "at_once": plan.at_once, "one_by_one": plan.one_by_one}
    return {
        "by": by,
        "questions": list(questions),
        "rounds": [[question + 1 for question in layer] for layer in chosen.layers()],
        "candidates": [
            {
                "source": verdict.edge.source + 1,
                "target": verdict.edge.target + 1,
                "confidence": verdict.edge.confidence,
                "reason": verdict.edge.reason,
                "cost_tokens": verdict.cost_tokens,
                "score": verdict.score,
                "chosen": not verdict.rejected,
                "rejected": verdict.rejected,
            }
            for verdict in verdicts
        ],
        "critical_path": [question + 1 for question in plan.critical_path],
        "read_tokens": {way: work.read_tokens for way, work in ways.items()},
        "columns": {way: work.columns for way, work in ways.items()},
        "seconds": {way: work.seconds(rates) for way, work in ways.items()} if rates else None,
    }


def _text(questions: Sequence[str], chosen: "Dependencies", report: dict[str, Any], picture: Path | None) -> str:
    from pmind.dependencies.drawing import dependencies_text

    lines = [dependencies_text(questions, chosen), ""]
    for entry in report["candidates"]:
        if entry["rejected"]:
            edge = f"{entry['source']} -> {entry['target']}  {entry['confidence']:.2f}  {entry['reason']}"
            lines.append(f"left out: {edge} ({entry['rejected']})")
    for way in ("in_rounds", "at_once", "one_by_one"):
        seconds = f", {report['seconds'][way]:.3g} s" if report["seconds"] else ""
        read, columns = report["read_tokens"][way], report["columns"][way]
        lines.append(f"{way.replace('_', ' ')}: {read} tokens read, {columns} columns{seconds}")
    if not report.get("understood", True):
        lines.append("the model's reply holds no proposal: " + " ".join(report["reply"].split())[:200])
    if report.get("ignored"):
        lines.append(f"{report['ignored']} of the model's edges make no sense and are left out")
    return "\n".join([*lines, *([f"saved {picture}"] if picture else [])])
