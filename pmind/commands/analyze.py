"""pmind analyze: draw what every head reads in one group."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pmind.commands.questions import encoded, group_of, read_context
from pmind.errors import PmindError
from pmind.params import VisibilityName

if TYPE_CHECKING:
    from torch import Tensor

    from pmind.analysis.finished import FinishedGroup
    from pmind.decoding.branches import GroupRequest
    from pmind.decoding.decoder import ParallelDecoder
    from pmind.decoding.options import GenerationOptions
    from pmind.geometry import Layout


def analyze(
    model: Annotated[str, typer.Option(help="Model folder or Hub id.")],
    question: Annotated[list[str], typer.Option(help="A question; repeat for more.")],
    out: Annotated[Path, typer.Option(help="Folder for pictures and data.")],
    context_file: Annotated[str | None, typer.Option(help="Text all questions share; - reads stdin.")] = None,
    visibility: Annotated[VisibilityName | None, typer.Option(help="Who sees whom; as trained.")] = None,
    override: Annotated[bool, typer.Option(help="Allow settings the checkpoint was not trained with.")] = False,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 16,
    prompt_template: Annotated[
        str | None, typer.Option(help="Text around {question}; the checkpoint's own, else the bare question.")
    ] = None,
    cells: Annotated[int, typer.Option(min=1, help="Most cells a side of a map.")] = 96,
    weights: Annotated[bool, typer.Option("--weights", help="Save every layer's weights, too, as .npz.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the clusters.")] = 1,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16 or float64.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; torch's choice when left out.")] = None,
) -> None:
    """Answer the questions about one context, then draw what every layer and head read meanwhile.

    Writes attention.json, and layer-1.svg, layer-1.png, … with a map for every head.

    Example: pmind analyze --model data/models/squad --context-file passage.txt --question "Who sings?" --out maps
    """
    context = read_context(context_file)
    import torch

    from pmind.analysis.group_map import map_group
    from pmind.analysis.model_analysis import describe_heads
    from pmind.analysis.survey import survey_heads
    from pmind.decoding.decoder import ParallelDecoder
    from pmind.decoding.options import GenerationOptions

    if threads:
        torch.set_num_threads(threads)
    decoder = ParallelDecoder.from_pretrained(
        model, override=override, dtype=dtype, device=device, compiled=False, visibility=visibility
    )
    options = GenerationOptions(max_new_tokens=max_new_tokens)
    asked = encoded(decoder, group_of(decoder, context, question, prompt_template, options))
    group, said = _answer(decoder, asked, options)
    layout = group.layout(decoder.settings.alignment)
    texts = [decoder.tokenizer.decode([token]) for token in layout.token_ids.tolist()]
    wired = decoder.model, decoder.settings
    content = {
        "questions": list(question),
        "answers": said,
        **describe_heads(survey_heads(*wired, [group], stop_id=None), seed),
        "example": map_group(*wired, layout, texts, most=cells),
    }
    _write(out, content)
    if weights:
        _save_weights(decoder, layout, out)
    _print(content, out)


def _answer(
    decoder: "ParallelDecoder", request: "GroupRequest", options: "GenerationOptions"
) -> tuple["FinishedGroup", list[str]]:
    """The group with the model's own answers, and these as texts."""
    from pmind.analysis.finished import FinishedGroup

    (answers,) = decoder.generate_groups([request], options)
    stops = decoder.stop_ids()
    ids = tuple(tuple(token for token in answer.token_ids if token not in stops) for answer in answers)
    if not any(ids):
        raise PmindError("every answer is empty, so there is nothing to look at; ask other questions")
    return FinishedGroup(request.context, request.prompts, ids), [answer.text.strip() for answer in answers]


def _write(folder: Path, content: dict[str, Any]) -> None:
    from pmind.reports.attention_figures import map_figure
    from pmind.reports.drawing import standalone, to_svg
    from pmind.reports.heat import save_png

    _make(folder)
    (folder / "attention.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for layer in range(1, len(content["layers"]) + 1):
        figure = map_figure(content["example"], [row for row in content["example"]["maps"] if row["layer"] == layer])
        svg = to_svg(figure, f"layer-{layer}", f"Attention of layer {layer}, a map a head")
        (folder / f"layer-{layer}.svg").write_text(standalone(svg), encoding="utf-8")
        save_png(figure, folder / f"layer-{layer}.png")


def _save_weights(decoder: "ParallelDecoder", layout: "Layout", folder: Path) -> None:
    """A file a layer, so that memory holds no more than one layer."""
    import numpy as np

    from pmind.analysis.group_map import branch_order, save_weights

    order = branch_order(layout)
    places = {"branch": layout.branch[order].numpy(), "column": layout.column[order].numpy()}
    tokens = {"token_ids": layout.token_ids[order].numpy()}

    def save(layer: int, weights: "Tensor") -> None:
        path = folder / f"weights-layer-{layer + 1}.npz"
        np.savez_compressed(path, weights=weights.numpy().astype(np.float16), **places, **tokens)

    save_weights(decoder.model, decoder.settings, layout, save)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PmindError(f"--out {folder}: cannot be written ({error.strerror})") from error


def _print(content: dict[str, Any], folder: Path) -> None:
    from rich.console import Console

    from pmind.reports.attention_tables import heads_table
    from pmind.reports.render import print_table

    for question, answer in zip(content["questions"], content["answers"], strict=True):
        print(f"Q: {question}\nA: {answer}")
    print_table(heads_table(content), Console())
    print(f"saved {folder}/attention.json, {folder}/layer-1.svg, .png …")
