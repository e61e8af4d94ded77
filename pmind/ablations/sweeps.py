"""What the ablations vary: every sweep as data, a cell a model.

A cell names the parameters in which it differs from the preset, dotted as ``dvc exp run -S`` takes
them, so that any cell can be run by hand as an experiment of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

from pmind.errors import ParamsError

Value = str | int | float | bool


@dataclass(frozen=True)
class Times:
    """So many times what the preset has for a key, for whole numbers at least 1.

    Attributes:
        factor: a number above 0.
        of: the key; the one that is set if empty.
    """

    factor: float
    of: str = ""


Setting = Mapping[str, Value | Times]


@dataclass(frozen=True)
class Cell:
    """One model of a sweep.

    Attributes:
        label: what tables call it; no two cells of a sweep share one.
        setting: parameters that differ from the preset's.
        before: parameters that pretraining alone has; with them the model that fine-tuning starts from is another.
        first: parameters of a fine-tuning that comes before the cell's own; ``None`` for none.
        baseline: a model trained on one branch at a time, that the others' parallel tax is told against.
        against: label of its baseline; the sweep's first if empty.
        too_large_for: presets in which it would take too long.
    """

    label: str
    setting: Setting
    before: Setting = field(default_factory=dict)
    first: Setting | None = None
    baseline: bool = False
    against: str = ""
    too_large_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sweep:
    """One question, asked of several models.

    Attributes:
        title: what is varied, in words.
        cells: in the order of tables.
        methods: fine-tune too, and answer the test questions in these ways; without any, the loss of pretraining
            is all.
        size: parameters of all its cells in the place of the preset's.
    """

    title: str
    cells: tuple[Cell, ...]
    methods: tuple[str, ...] = ()
    size: Setting = field(default_factory=dict)

    @property
    def answers(self) -> bool:
        """Whether questions are answered."""
        return bool(self.methods)


def find_sweep(name: str) -> Sweep:
    """The sweep of that name.

    Raises:
        ParamsError: names all there are.
    """
    if name not in SWEEPS:
        raise ParamsError(f"ablations.sweeps: no sweep '{name}'. There are {', '.join(SWEEPS)}")
    return SWEEPS[name]


def _one_key(key: str, *values: Value) -> tuple[Cell, ...]:
    return tuple(Cell(str(value), {key: value}) for value in values)


def _drawn(fewest: int, most: int) -> Setting:
    return {"pretrain.min_branches": fewest, "pretrain.max_branches": most}


def _single(label: str = "single branch", setting: Setting | None = None, **kept: tuple[str, ...]) -> Cell:
    return Cell(label, {**(setting or {}), **_drawn(1, 1)}, baseline=True, **kept)


def _with_singles(*cells: Cell) -> tuple[Cell, ...]:
    """Each cell before a single-branch twin, where one baseline cannot serve them all."""
    return tuple(entry for cell in cells for entry in _with_single(cell, f"{cell.label}, single branch"))


def _with_single(cell: Cell, label: str) -> tuple[Cell, Cell]:
    return replace(cell, against=label), _single(label, cell.setting, too_large_for=cell.too_large_for)


def _branch_signal(ratio: float, placement: str, encoding: str, stride: int) -> Cell:
    setting = {
        "rope_2d_ratio": ratio,
        "pair_placement": placement,
        "branch_encoding": encoding,
        "branch_stride": stride,
    }
    return Cell(f"{ratio} {placement} {encoding} {stride}", setting)


def _longer(cell: Cell) -> Cell:
    return replace(cell, setting={**cell.setting, "pretrain.steps": Times(3), "text.train_documents": Times(2)})


def _grid() -> Iterator[Cell]:
    yield Cell("0", {"rope_2d_ratio": 0.0})  # no pair carries the branch: the rest of the grid is one cell
    for ratio, placement, encoding, stride in product(
        (0.25, 0.5), ("interleaved", "low", "high"), ("replace", "offset"), (16, 1024)
    ):
        yield _branch_signal(ratio, placement, encoding, stride)


def _adapter(rank: int) -> Cell:
    return Cell(f"rank {rank}", {"finetune.adapter": "lora", "lora.rank": rank, "lora.alpha": 2 * rank})


def _amount(label: str, documents: float, steps: float) -> Cell:
    return Cell(label, {"text.train_documents": Times(documents), "pretrain.steps": Times(steps)})


ASKED = ("parallel", "sequential")
UNTRAINED = {"pretrain.steps": 1, "pretrain.learning_rate": 0.0, "pretrain.matrix_learning_rate": 0.0}
ORDINARY = {"rope_2d_ratio": 0.0, **_drawn(1, 1)}  # an ordinary language model, as one finds them pretrained

LINKED = {  # tasks whose questions build on each other: texts that tell their facts, three tasks' worth of them
    "text.source": "builtin-chained",
    "text.train_documents": Times(2),
    "pretrain.steps": Times(2),
    "squad.train_groups": Times(4),
    "visibility": "isolated",
}
PLAIN_FIRST = {  # the model learns to read before it exchanges, for four times as long
    "crossbatch.train": "none",
    "squad.grouping": "auto",
    "finetune.steps": Times(4),
}

SWEEPS: dict[str, Sweep] = {
    "ratio": Sweep(
        "Share of the pairs that carry the branch",
        _one_key("rope_2d_ratio", 0.0, 0.125, 0.25, 0.375, 0.5, 0.75),
        ASKED,
    ),
    "placement": Sweep(
        "Which pairs carry the branch", (*_one_key("pair_placement", "interleaved", "low", "high"), _single())
    ),
    "encoding": Sweep("How a pair carries the branch", (*_one_key("branch_encoding", "replace", "offset"), _single())),
    "stride": Sweep(
        "Distance of neighbouring branches", (*_one_key("branch_stride", 1, 32, 128, 256, 512, 1024), _single())
    ),
    "grid": Sweep("Ratio, placement, encoding and stride together", (*_grid(), _single())),
    "longer": Sweep(
        "The grid's best setting and the default, trained three times as long on twice the text",
        tuple(map(_longer, (_branch_signal(0.5, "low", "replace", 1024), Cell("default", {}), _single()))),
    ),
    "branches": Sweep(
        "Branches of a training sample",
        (
            _single("1"),
            *(Cell(str(count), _drawn(count, count)) for count in (2, 4, 8, 16)),
            *(Cell(f"1-{most}", _drawn(1, most)) for most in (3, 7, 15, 31)),
            Cell("1, no pair carries the branch", ORDINARY),
        ),
    ),
    "visibility": Sweep("What branches see of each other", _one_key("visibility", "columnar", "isolated"), ASKED),
    "alignment": Sweep(
        "Where prompts stand",
        (
            Cell("columnar, right", {}),
            Cell("columnar, left", {"alignment": "left"}),
            Cell("isolated, own", {"visibility": "isolated"}),
            Cell("isolated, right", {"visibility": "isolated", "alignment": "right"}),
            Cell("isolated, left", {"visibility": "isolated", "alignment": "left"}),
        ),
        ASKED,
    ),
    "padding": Sweep(
        "How texts fill a forward pass",
        (
            *(Cell(f"{way}, a passage a branch", {"training.padding": way}) for way in ("bucket", "step", "fixed")),
            _single(),
            *_with_singles(Cell("bucket, passages joined", {"pretrain.packing": "join"})),
        ),
    ),
    "rank": Sweep(
        "Low-rank adapters against all weights, in fine-tuning",
        (*map(_adapter, (4, 8, 16, 32)), Cell("all weights", {"finetune.adapter": "none"})),
        ASKED,
    ),
    "start": Sweep(
        "What fine-tuning starts from, and how",
        (
            Cell("from scratch", {}, before=UNTRAINED),
            Cell("pretrained on branches", {}),
            Cell("ordinary model", {}, before=ORDINARY),
            Cell(
                "ordinary model, annealed", {"finetune.anneal_steps": Times(0.5, of="finetune.steps")}, before=ORDINARY
            ),
            Cell("ordinary model, distilled", {"finetune.distillation": 0.5}, before=ORDINARY),
            Cell("ordinary model, own answers", {"finetune.targets": "own"}, before=ORDINARY),
        ),
        ASKED,
    ),
    "dependencies": Sweep(
        "Questions that need another one's answer",
        (Cell("history in fine-tuning", {}),),
        ("sequential", "batch", "parallel", "multi_turn", "collab_heuristic"),
        LINKED | {"squad.dataset": "chained", "finetune.history_share": 0.9, "finetune.steps": Times(1.5)},
    ),
    "exchange": Sweep(
        "What one question tells of another: hidden states exchanged, or columns read",
        (
            Cell("head", {"crossbatch.train": "baseline"}, first=PLAIN_FIRST),
            Cell("head, module", {"crossbatch.train": "crossbatch"}, first=PLAIN_FIRST),
            Cell(
                "head, module, questions of other groups",
                {"crossbatch.train": "crossbatch", "squad.grouping": "random"},
                first=PLAIN_FIRST,
            ),
            Cell("adapter, head", {"crossbatch.train": "lora_lmhead"}, first=PLAIN_FIRST),
            Cell("adapter, head, module", {"crossbatch.train": "lora_crossbatch"}, first=PLAIN_FIRST),
            Cell("columnar, head", {"crossbatch.train": "baseline", "visibility": "columnar"}, first=PLAIN_FIRST),
        ),
        ("parallel", "batch"),
        LINKED
        | {
            "squad.dataset": "hinted",
            "crossbatch.layer": 1,
            "finetune.history_share": 0.0,
            "finetune.steps": Times(0.6),
        },
    ),
    "size": Sweep(
        "Model size",
        _with_singles(
            Cell("tiny", {"base_model": "tiny"}),
            Cell("small", {"base_model": "small"}),
            Cell("minimind-26m", {"base_model": "minimind-26m"}, too_large_for=("cpu", "smoke")),
            Cell("minimind-104m", {"base_model": "minimind-104m"}, too_large_for=("cpu", "smoke")),
        ),
    ),
    "data": Sweep(
        "Amount of text and number of steps",
        _with_singles(
            *(_amount(f"{share:g} of the documents", share, 1) for share in (0.05, 0.25)),
            _amount("all documents", 1, 1),
            *(_amount(f"{share:g} times the steps", 1, share) for share in (0.25, 0.5, 2)),
        ),
    ),
}
