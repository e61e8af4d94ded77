"""pmind ask: answer questions about one context."""

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pmind.commands.questions import encoded, group_of, read_context
from pmind.errors import ModelError, ParamsError
from pmind.params import VisibilityName

if TYPE_CHECKING:
    from pmind.commands.streaming import Asked
    from pmind.methods.method import Method

MethodName = Literal[
    "parallel", "sequential", "sequential_cached", "batch", "multi_turn", "all_in_one",
    "collab_llm", "collab_bert", "collab_heuristic", "finetuned", "lora_lmhead", "collab_hidden", "lora_crossbatch",
]  # fmt: skip
AlignmentName = Literal["own", "right", "left"]


def ask(
    model: Annotated[str, typer.Option(help="Model folder or Hub id.")],
    question: Annotated[list[str], typer.Option(help="A question; repeat for more.")],
    context_file: Annotated[str | None, typer.Option(help="Text all questions share; - reads stdin.")] = None,
    method: Annotated[
        MethodName | None, typer.Option(help="Way of answering; the one the model was trained for, else parallel.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="Encoder folder or Hub id, for collab_bert.")] = "",
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Least of a dependency between questions, for collab_….")
    ] = 0.35,
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
    context = read_context(context_file)
    import torch

    from pmind.commands.streaming import Asked, account, answer, answer_visibly, report
    from pmind.decoding.decoder import ParallelDecoder
    from pmind.decoding.options import GenerationOptions
    from pmind.methods.catalog import COLLABORATIVE

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
    name = _method_name(model, method)
    way = _find_method(name, encoder, min_confidence, device)
    requested = {"visibility": visibility, "alignment": alignment, "rope_2d_ratio": rope_2d_ratio}
    decoder = ParallelDecoder.from_pretrained(model, override=override, dtype=dtype, device=device, **requested)
    asked = Asked(decoder, way, group_of(decoder, context, question, prompt_template, options), options, branches)
    context_ids = _fit(asked)
    answered = answer(asked, lambda entry: None) if as_json else answer_visibly(asked)
    for sentence in answered.transcript.shortcomings():
        print(sentence, file=sys.stderr)
    if as_json:
        finding = {"encoder": encoder, "min_confidence": min_confidence} if name in COLLABORATIVE else {}
        chosen = {**finding, **dataclasses.asdict(options), **dataclasses.asdict(decoder.settings)}
        settings = {"model": model, "method": name, **chosen}
        content = {"context_ids": context_ids, **report(asked, answered), "settings": settings}
        print(json.dumps(content, ensure_ascii=False))
    else:
        print(*account(asked, answered), sep="\n")


def _method_name(model: str, asked: MethodName | None) -> str:
    """The method to answer by: as asked for, as the model was trained, or parallel.

    Raises:
        ModelError: the method needs a model trained for it, which this is not.
    """
    from pmind.methods.catalog import TRAINED
    from pmind.models.loading import resolve_folder
    from pmind.training.learnt import METHODS, find_learnt

    folder = resolve_folder(model)
    trained = {path: learnt.method for path, learnt in find_learnt(folder)}
    own = trained.get(folder, "parallel")
    if asked not in TRAINED or asked == own:
        return asked or own
    train = next(train for train, method in METHODS.items() if method == asked)
    below = [str(path) for path, method in trained.items() if method == asked]
    mend = f"Name {' or '.join(below)} as --model" if below else f"Fine-tune one with crossbatch.train={train}"
    is_for = f"was trained for {own}" if folder in trained else "was not"
    raise ModelError(f"{asked} needs a model that was trained for it, and {model} {is_for}. {mend}")


def _find_method(name: str, encoder: str, min_confidence: float, device: str) -> "Method":
    from pmind.dependencies.selection import SelectionRules
    from pmind.methods.catalog import find_method
    from pmind.methods.collaborative import Collaboration

    collaboration = Collaboration(SelectionRules(min_confidence))
    if name == "collab_bert":
        if not encoder:
            raise ParamsError("collab_bert reads the questions with an encoder; name its folder or Hub id as --encoder")
        from pmind.dependencies.encoder import load_encoder

        collaboration = dataclasses.replace(collaboration, encoder=load_encoder(encoder, device))
    return find_method(name, collaboration)


def _fit(asked: "Asked") -> list[int]:
    """Token ids of the context.

    Raises:
        DecodingError: a question does not fit the model with the context and its answer.
    """
    from pmind.decoding.branches import check_fits

    request = encoded(asked.decoder, asked.group)
    for single in asked.way.passes.split(request, asked.branches):
        check_fits(single, asked.group.max_new_tokens, asked.decoder.settings, asked.decoder.texts.positions)
    return list(request.context)
