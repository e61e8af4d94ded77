"""Load a dataset by name from wherever its source parameter points, split into train and test."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from pmind.corpora.builtin_medical import clin_task, exam_task
from pmind.corpora.builtin_reading import reading_task
from pmind.corpora.facts import Split
from pmind.corpora.hub import Rows, hub_splits
from pmind.corpora.sources import read_json, source_kind
from pmind.errors import DataError
from pmind.params import TaskParams
from pmind.tasks.cmb import clin_groups, cmb_groups, exam_groups
from pmind.tasks.grouping import check_disjoint, split_documents
from pmind.tasks.records import QuestionGroup
from pmind.tasks.squad import rows_to_squad, squad_groups

TaskName = Literal["squad", "cmb"]
Parse = Callable[[Any, str], list[QuestionGroup]]

TEST_SHARE = 0.2
CLIN_ONE_IN = 6  # built-in medical groups; the others are multiple choice
HUB_TEST_SPLITS = ("validation", "val", "dev", "test")  # a Hub's test split often comes without answers


@dataclass(frozen=True)
class TaskData:
    """Groups of both splits, and how many questions were left out for which reason."""

    train: list[QuestionGroup]
    test: list[QuestionGroup]
    dropped: Mapping[str, int]


def load_task(name: TaskName, params: TaskParams, seed: int) -> TaskData:
    """Load a dataset; train and test share no document.

    Args:
        name: ``squad`` or ``cmb``: whose schema the source has.
        params: its source: ``builtin`` (which makes as many groups as asked for), a local file
            (split by document, a fifth for test), or a Hub id (with its own splits where it has them).
        seed: of the built-in generator, and of the split by document.

    Raises:
        DataError: unknown name; the source cannot be read, has another schema, or splits that share a document.
    """
    if name not in get_args(TaskName):
        raise DataError(f"unknown dataset '{name}'. Use {' or '.join(get_args(TaskName))}")
    dropped: Counter[str] = Counter()
    parse = partial(_parse, name, dropped=dropped, max_questions=params.max_questions)
    match source_kind(params.source):
        case "builtin":
            train = _builtin(name, "train", params.train_groups, seed)
            test = _builtin(name, "test", params.test_groups, seed)
        case "file":
            train, test = split_documents(parse(read_json(Path(params.source)), params.source), TEST_SHARE, seed)
        case "hub":
            train, test = _hub(name, params.source, parse, seed)
    check_disjoint({"train": train, "test": test})
    return TaskData(train, test, dropped)


def _builtin(name: TaskName, split: Split, count: int, seed: int) -> list[QuestionGroup]:
    where, none_dropped = f"builtin {name} {split}", Counter()
    if name == "squad":
        return squad_groups(reading_task(split, count, seed), where, none_dropped)
    clin = count // CLIN_ONE_IN
    exam_items = exam_task(split, count - clin, seed)
    exam = exam_groups(exam_items, where, none_dropped, len(exam_items))
    return exam + clin_groups(clin_task(split, clin, seed), where, none_dropped)


def _hub(name: TaskName, source: str, parse: Parse, seed: int) -> tuple[list[QuestionGroup], list[QuestionGroup]]:
    splits = hub_splits(source)
    if "train" not in splits:
        raise DataError(f"Hub dataset '{source}' has no train split, only {', '.join(splits)}. Use another one")
    train = parse(_hub_data(name, splits["train"], source), f"{source} train")
    for split in HUB_TEST_SPLITS:
        if split in splits:
            return train, parse(_hub_data(name, splits[split], source), f"{source} {split}")
    return split_documents(train, TEST_SHARE, seed)


def _hub_data(name: TaskName, rows: Rows, source: str) -> Any:
    return rows_to_squad(rows, source) if name == "squad" else list(rows)


def _parse(name: TaskName, data: Any, where: str, *, dropped: Counter[str], max_questions: int) -> list[QuestionGroup]:
    if name == "squad":
        return squad_groups(data, where, dropped)
    return cmb_groups(data, where, dropped, max_questions)
