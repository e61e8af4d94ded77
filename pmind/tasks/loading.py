"""Load a dataset by name from wherever its source parameter points, split into train and test."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from pmind.corpora.builtin_chained import chained_task
from pmind.corpora.builtin_hinted import hinted_task
from pmind.corpora.builtin_medical import clin_task, exam_task
from pmind.corpora.builtin_reading import reading_task
from pmind.corpora.facts import Split
from pmind.corpora.hub import Rows, hub_splits
from pmind.corpora.sources import source_kind
from pmind.errors import DataError
from pmind.params import TaskParams
from pmind.tasks.catalog import find_dataset, grouping_of
from pmind.tasks.chained import chained_groups
from pmind.tasks.cmb import clin_groups, exam_groups
from pmind.tasks.dataset import Dataset
from pmind.tasks.grouping import check_disjoint, split_documents
from pmind.tasks.intake import Intake
from pmind.tasks.records import Question, QuestionGroup, passage_document
from pmind.tasks.regrouping import regroup
from pmind.tasks.similarity import pick
from pmind.tasks.squad import squad_groups

TaskName = Literal["squad", "cmb"]  # the pipeline's two places for a dataset

TEST_SHARE = 0.2
CLIN_ONE_IN = 6  # built-in medical groups; the others are multiple choice
BUILTIN = {  # who writes a task, and who reads it
    "squad": (reading_task, squad_groups),
    "chained": (chained_task, chained_groups),
    "hinted": (hinted_task, chained_groups),
}
HUB_TEST_SPLITS = ("validation", "val", "test", "dev")  # a test split often comes without answers


@dataclass(frozen=True)
class TaskData:
    """Groups of both splits, and how many questions were left out for which reason."""

    train: list[QuestionGroup]
    test: list[QuestionGroup]
    dropped: Mapping[str, int]


def load_task(params: TaskParams, seed: int) -> TaskData:
    """Load a dataset; train and test share no document: where official splits do, the training questions go.

    Args:
        params: its name, its source (``builtin``, which makes as many groups as asked for, a local file or
            folder, or a Hub id with its own splits where it has them), a source of its own for test or ""
            (then a fifth of the documents is for test), and the rule that groups its questions.
        seed: of the built-in generator, of the split by document, and of random groups.

    Raises:
        DataError: unknown name; the source cannot be read, or has another schema.
    """
    dataset, intake = find_dataset(params.dataset), Intake()
    if params.source == "builtin":
        train, test = (_builtin(params, split, seed, intake) for split in ("train", "test"))
    elif params.test_source:
        train = read_source(dataset, params.source, intake)
        test = read_source(dataset, params.test_source, intake)
    elif source_kind(params.source) == "hub":
        train, test = _hub(dataset, params.source, seed, intake)
    else:
        train, test = split_documents(read_source(dataset, params.source, intake), TEST_SHARE, seed)
    train = drop_shared(train, test, intake)
    check_disjoint({"train": train, "test": test})
    train, test = (group_questions(groups, params, seed, intake) for groups in (train, test))
    return TaskData(train, test, +intake.dropped)


def drop_shared(train: list[QuestionGroup], test: list[QuestionGroup], intake: Intake) -> list[QuestionGroup]:
    """Leave out training questions about a document or a passage that test questions are about, and count them."""
    known = {group.document_of(question) for group in test for question in group.questions}
    known |= {_passage(group, question) for group in test for question in group.questions} - {""}
    kept = []
    for group in train:
        apart = tuple(
            question
            for question in group.questions
            if group.document_of(question) not in known and _passage(group, question) not in known
        )
        intake.drop("training_questions_of_test_documents", len(group.questions) - len(apart))
        if apart:
            kept.append(replace(group, id=apart[0].id, questions=apart))
    return kept


def _passage(group: QuestionGroup, question: Question) -> str:
    """Name of what a question is about; "" for one whose shared context is only examples or nothing."""
    about = question.context or ("" if question.document else group.context)
    return passage_document(about) if about else ""


def load_questions(params: TaskParams, seed: int) -> TaskData:
    """All questions of a source as test groups, of the built-in generator its test split; nothing is split off.

    Raises:
        DataError: as :func:`load_task`.
    """
    dataset, intake = find_dataset(params.dataset), Intake()
    if params.source == "builtin":
        groups = _builtin(params, "test", seed, intake)
    else:
        groups = read_source(dataset, params.source, intake)
    return TaskData([], group_questions(groups, params, seed, intake), +intake.dropped)


def read_source(dataset: Dataset, source: str, intake: Intake) -> list[QuestionGroup]:
    """All groups of a local file or folder, or of a Hub dataset's test split.

    Raises:
        DataError: the source cannot be read, has another schema, or holds no questions.
    """
    if source_kind(source) == "hub":
        splits = hub_splits(source)
        name = next((name for name in HUB_TEST_SPLITS if name in splits), "train")
        groups = _rows(dataset, source, splits, name, intake)
    else:
        groups = [group for path in files_of(dataset, Path(source)) for group in dataset.read(path, intake)]
    if not groups:
        left_out = ", ".join(f"{count} {reason}" for reason, count in intake.dropped.items())
        raise DataError(f"{source}: no questions to ask{f'; left out were {left_out}' if left_out else ''}")
    return groups


def files_of(dataset: Dataset, path: Path) -> list[Path]:
    """The file itself, or a folder's data files in the order of their names.

    Raises:
        DataError: there are none.
    """
    if not path.is_dir():
        return [path]
    for pattern in dataset.files:
        files = sorted(file for file in path.rglob(pattern) if file.is_file())
        if files:
            return files
    raise DataError(f"{path}: no files such as {', '.join(dataset.files)} in this folder")


def group_questions(groups: list[QuestionGroup], params: TaskParams, seed: int, intake: Intake) -> list[QuestionGroup]:
    """Put the questions of one split together by the rule asked for, or by the dataset's own."""
    return regroup(
        groups,
        grouping_of(params),
        intake,
        most=params.max_questions,
        seed=seed,
        threshold=params.similarity,
        embed=pick(params.similarity_model),
    )


def _builtin(params: TaskParams, split: Split, seed: int, intake: Intake) -> list[QuestionGroup]:
    where = f"builtin {params.dataset} {split}"
    count = params.train_groups if split == "train" else params.test_groups
    if params.dataset in BUILTIN:
        write, read = BUILTIN[params.dataset]
        return read(write(split, count, seed), where, intake)
    if params.dataset != "cmb":
        raise DataError(
            f"dataset '{params.dataset}' has no built-in data; name its file or Hub id, "
            f"or use {', '.join(BUILTIN)} or cmb"
        )
    clin = count // CLIN_ONE_IN
    exam = exam_groups(exam_task(split, count - clin, seed), where, intake)
    return exam + clin_groups(clin_task(split, clin, seed), where, intake)


def _hub(dataset: Dataset, source: str, seed: int, intake: Intake) -> tuple[list[QuestionGroup], list[QuestionGroup]]:
    splits = hub_splits(source)
    tests = [name for name in HUB_TEST_SPLITS if name in splits and name != dataset.examples]
    names = [name for name in ("train", *tests) if name in splits]
    if not names:
        raise DataError(f"Hub dataset '{source}' has no split to use, only {', '.join(splits)}. Name another one")
    if len(names) == 1 or names[0] != "train":
        return split_documents(_rows(dataset, source, splits, names[0], intake), TEST_SHARE, seed)
    train, test = (_rows(dataset, source, splits, name, intake) for name in names[:2])
    return train, test


def _rows(dataset: Dataset, source: str, splits: Mapping[str, Rows], name: str, intake: Intake) -> list[QuestionGroup]:
    read = partial(dataset.rows, examples=splits[dataset.examples]) if dataset.examples in splits else dataset.rows
    return read(splits[name], f"{source} {name}", intake)
