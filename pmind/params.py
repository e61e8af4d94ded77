"""One frozen dataclass per section of params.yaml, loaded strictly.

Unknown keys, wrong types and values out of range are errors that name the file,
the key and what would be accepted.
"""

import dataclasses
import difflib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import yaml

from pmind.errors import ParamsError

Encoding = Literal["replace", "offset"]
Placement = Literal["interleaved", "low", "high"]
AlignmentChoice = Literal["auto", "own", "right", "left"]
VisibilityName = Literal["columnar", "isolated"]
GroupingChoice = Literal["auto", "context", "random", "subdomain", "similar"]
LongContexts = Literal["drop", "truncate"]
DtypeName = Literal["float32", "bfloat16", "float16", "float64"]
OptimizerName = Literal["muon", "adamw"]
ScheduleName = Literal["linear", "cosine", "wsd"]
TrainingDtype = Literal["float32", "bfloat16"]
Padding = Literal["bucket", "step", "fixed"]
AttentionName = Literal["auto", "dense", "blocks", "flex"]
AdapterName = Literal["none", "lora"]
Packing = Literal["none", "join"]
SharedContext = Literal["replays", "continuations"]
Targets = Literal["data", "own"]
CrossBatchTraining = Literal["none", "baseline", "crossbatch", "lora_lmhead", "lora_crossbatch"]
CrossBatchKind = Literal["attention", "mixer"]
CrossBatchSum = Literal["scale", "gate"]
AblationPreset = Literal["cpu", "gpu", "smoke"]

Section = TypeVar("Section")


def between(low: float | None = None, high: float | None = None) -> Any:
    """A required field whose value must lie in [low, high]; ``None`` leaves an end open."""
    return field(metadata={"low": low, "high": high})


@dataclass(frozen=True)
class GeometryParams:
    """Top-level keys: how branches are told apart and what they see."""

    rope_2d_ratio: float = between(0, 1)
    branch_stride: int = between(1)
    branch_encoding: Encoding
    pair_placement: Placement
    pair_indices: tuple[int, ...] = between(1)
    alignment: AlignmentChoice
    visibility: VisibilityName


@dataclass(frozen=True)
class RunParams:
    """Top-level keys: what runs, on what, and how many questions at a time."""

    seed: int = between(0)
    threads: int = between(1)
    base_model: str
    branches: int = between(1)


@dataclass(frozen=True)
class TextParams:
    """Pretraining text; counts are documents."""

    source: str
    train_documents: int = between(1)
    val_documents: int = between(1)
    without: str


@dataclass(frozen=True)
class TaskParams:
    """One question-answering dataset; lengths are tokens."""

    dataset: str
    source: str
    test_source: str
    grouping: GroupingChoice
    similarity: float = between(0, 1)
    similarity_model: str
    train_groups: int = between(1)
    test_groups: int = between(1)
    min_questions: int = between(1)
    max_questions: int = between(1)
    max_context_tokens: int = between(1)
    long_contexts: LongContexts


@dataclass(frozen=True)
class TokenizerParams:
    """Byte-level BPE training."""

    vocab_size: int = between(260)


@dataclass(frozen=True)
class TrainingParams:
    """How both training stages run, whatever they learn."""

    optimizer: OptimizerName
    schedule: ScheduleName
    decay_share: float = between(0, 1)
    final_share: float = between(0, 1)
    dtype: TrainingDtype
    part_tokens: int = between(1)
    padding: Padding
    attention: AttentionName
    gradient_checkpointing: bool


@dataclass(frozen=True)
class LoraParams:
    """Low-rank adapters, as PEFT names them."""

    rank: int = between(1)
    alpha: float = between(0)
    dropout: float = between(0, 1)
    target_modules: str
    rank_stabilised: bool
    dora: bool


@dataclass(frozen=True)
class OptimizerParams:
    """Steps and rates shared by pretraining and fine-tuning."""

    adapter: AdapterName
    steps: int = between(1)
    batch_size: int = between(1)
    learning_rate: float = between(0)
    matrix_learning_rate: float = between(0)
    weight_decay: float = between(0)
    warmup_steps: int = between(0)
    gradient_clip: float = between(0)
    checkpoint_every: int = between(1)


@dataclass(frozen=True)
class PretrainParams(OptimizerParams):
    """Columnar pretraining; lengths are tokens, a batch is counted in texts."""

    min_branches: int = between(1)
    max_branches: int = between(1)
    max_branch_tokens: int = between(2)
    packing: Packing
    shared_context_share: float = between(0, 1)
    shared_context: SharedContext
    max_column_offset: int = between(0)


@dataclass(frozen=True)
class FinetuneParams(OptimizerParams):
    """Fine-tuning on answers; a batch is counted in groups."""

    chat_template: bool
    targets: Targets
    own_answer_tokens: int = between(1)
    distillation: float = between(0, 1)
    anneal_steps: int = between(0)
    history_share: float = between(0, 1)


@dataclass(frozen=True)
class CrossBatchParams:
    """What fine-tuning trains where siblings exchange hidden states; layers are counted from 0, -1 is the last."""

    train: CrossBatchTraining
    freeze_base: bool
    kind: CrossBatchKind
    heads: int = between(1)
    layer: int = between(-1)
    combine: CrossBatchSum


@dataclass(frozen=True)
class DecodeParams:
    """Greedy decoding of the test groups."""

    max_new_tokens: int = between(1)
    max_groups: int = between(1)


@dataclass(frozen=True)
class EvaluateParams:
    """Scores and their intervals."""

    confidence: float = between(0.5, 0.999)


@dataclass(frozen=True)
class BenchmarkParams:
    """Timed decoding; lengths are tokens."""

    model: str
    methods: tuple[str, ...]
    branches: tuple[int, ...] = between(1)
    context_tokens: int = between(0)
    prompt_tokens: int = between(1)
    answer_tokens: int = between(1)
    dtype: DtypeName
    device: str
    repeats: int = between(1)
    memory: bool
    load_groups: int = between(1)
    load_branches: int = between(1)
    load_max_groups: int = between(1)
    load_shares: tuple[float, ...] = between(0.01)


@dataclass(frozen=True)
class AblationsParams:
    """Sweeps of settings; which there are is in ``pmind/ablations/sweeps.py``."""

    sweeps: tuple[str, ...]
    preset: AblationPreset
    seeds: int = between(1)
    jobs: int = between(1)
    threads: int = between(1)


@dataclass(frozen=True)
class AnalyzeParams:
    """What heads read and what siblings do; counts of test groups, of their questions and of heads."""

    groups: int = between(2)
    branches: tuple[int, ...] = between(1)
    targets: int = between(1)
    ablation_groups: int = between(1)
    ablation_heads: int = between(1)
    example_cells: int = between(1)
    max_new_tokens: int = between(1)


@dataclass(frozen=True)
class ReportParams:
    """The report's wording."""

    title: str


SECTIONS: dict[str, type] = {
    "text": TextParams,
    "squad": TaskParams,
    "cmb": TaskParams,
    "tokenizer": TokenizerParams,
    "training": TrainingParams,
    "lora": LoraParams,
    "pretrain": PretrainParams,
    "finetune": FinetuneParams,
    "crossbatch": CrossBatchParams,
    "decode": DecodeParams,
    "evaluate": EvaluateParams,
    "benchmark": BenchmarkParams,
    "ablations": AblationsParams,
    "analyze": AnalyzeParams,
    "report": ReportParams,
}


def load_section(path: Path, section: str | None, kind: type[Section]) -> Section:
    """Read one section of a params file into its dataclass.

    Args:
        path: the YAML file.
        section: name of the section; ``None`` reads top-level keys.
        kind: dataclass of the section. At top level other keys are allowed beside its own,
            inside a section they are not.

    Raises:
        ParamsError: file or section missing, unknown or missing key, wrong type, out of range.
    """
    document = load_document(path)
    if section is None:
        names = {entry.name for entry in dataclasses.fields(kind)}
        return build_params({key: document[key] for key in names & document.keys()}, kind, str(path))
    if not isinstance(document.get(section), Mapping):
        raise ParamsError(f"{path}: no section '{section}'. Add it, or copy params.yaml from the repository")
    return build_params(document[section], kind, f"{path}: {section}")


def load_document(path: Path) -> dict[str, Any]:
    """All of a params file as it stands, for what writes params files of its own.

    Raises:
        ParamsError: file missing, not YAML, or an unknown key at top level.
    """
    document = _read_yaml(path)
    _check_top_level(document, path)
    return document


def build_params(values: Mapping[str, Any], kind: type[Section], where: str) -> Section:
    """Check VALUES against the fields of KIND and build it; WHERE heads every error."""
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    for name in values:
        if name not in fields:
            raise ParamsError(f"{where}: unknown key '{name}'{_suggestion(name, fields)}")
    missing = [name for name in fields if name not in values]
    if missing:
        raise ParamsError(f"{where}: missing key '{missing[0]}'")
    hints = get_type_hints(kind)
    checked = {
        name: _checked(values[name], hints[name], entry.metadata, f"{where}: {name}") for name, entry in fields.items()
    }
    _check_order(checked, where)
    return kind(**checked)


def _check_order(values: Mapping[str, Any], where: str) -> None:
    for name, least in values.items():
        most = values.get(name.replace("min_", "max_", 1))
        if name.startswith("min_") and most is not None and least > most:
            raise ParamsError(f"{where}: {name} {least} is more than {name.replace('min_', 'max_', 1)} {most}")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read ({error.strerror}). Run from the repository's top folder") from error
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(document, dict):
        raise ParamsError(f"{path}: expected a mapping of keys to values")
    return document


def _check_top_level(document: Mapping[str, Any], path: Path) -> None:
    top_level = [entry.name for kind in (GeometryParams, RunParams) for entry in dataclasses.fields(kind)]
    known = {*top_level, *SECTIONS}
    for name in document:
        if name not in known:
            raise ParamsError(f"{path}: unknown key '{name}'{_suggestion(name, known)}")


def _checked(value: Any, hint: Any, limits: Mapping[str, Any], where: str) -> Any:
    if get_origin(hint) is Literal:
        return _checked_choice(value, get_args(hint), where)
    if get_origin(hint) is tuple:
        return _checked_list(value, get_args(hint)[0], limits, where)
    if isinstance(hint, types.UnionType):
        raise TypeError(f"{where}: unions are not supported in params")
    return _checked_scalar(value, hint, limits, where)


def _checked_choice(value: Any, choices: tuple[str, ...], where: str) -> str:
    if value not in choices:
        raise ParamsError(f"{where} must be one of {', '.join(choices)}, not {value!r}")
    return value


def _checked_list(value: Any, item: type, limits: Mapping[str, Any], where: str) -> tuple:
    entries = value if isinstance(value, list) else [value]  # -S 'branches=4' gives a lone number
    return tuple(_checked_scalar(entry, item, limits, where) for entry in entries)


def _checked_scalar(value: Any, kind: type, limits: Mapping[str, Any], where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ParamsError(f"{where} must be {_article(kind)}, not {value!r}")
    low, high = limits.get("low"), limits.get("high")
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        raise ParamsError(f"{where} must be {_range(low, high)}, not {value}")
    return value


def _range(low: float | None, high: float | None) -> str:
    if high is None:
        return f"at least {low}"
    return f"at most {high}" if low is None else f"between {low} and {high}"


def _article(kind: type) -> str:
    return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[kind]


def _suggestion(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else f". Known keys: {', '.join(sorted(known))}"
