"""Rows of all methods -> flat metrics whose keys read as sentences: ``squad.parallel.em_low``."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from pmind.errors import DataError
from pmind.evaluation.chance import choice_chance, text_chance
from pmind.evaluation.intervals import Estimate, mean_interval, paired_difference
from pmind.evaluation.rows import AnswerRow
from pmind.evaluation.scores import Scores, aggregates, headlines_of, score_rows, split_by_category
from pmind.tasks.records import QuestionGroup

SWAPPED = "_swapped"  # rows "parallel_swapped": method parallel, each passage swapped for another
PAIRS = (("parallel", "sequential"), ("parallel", "base"))  # compared question by question
DECIMALS = 6

Metrics = dict[str, float | int | str]


def summarise(
    dataset: str,
    answers: Mapping[str, Sequence[AnswerRow]],
    test: Sequence[QuestionGroup],
    train: Sequence[QuestionGroup],
    confidence: float,
) -> Metrics:
    """Score every method on DATASET.

    Args:
        dataset: first word of every key.
        answers: rows by method; a method's name plus ``_swapped`` holds its answers with each
            passage swapped for another, where there is another (there may be none at all).
            ``parallel`` is compared with ``sequential`` and with ``base``, the untuned model asked
            one question at a time.
        test: the groups that were answered.
        train: the groups that were trained on, which a passage-blind guess may know.
        confidence: level of the intervals.

    Returns:
        Every measure of :mod:`pmind.evaluation.scores` of every method, each with ``_low`` and ``_high``;
        numbers of questions, groups and documents; chance.

    Raises:
        DataError: a method did not answer exactly the questions of TEST, or a swapped one others than these.
    """
    for method, rows in answers.items():
        _check_complete(dataset, method, rows, test)
    documents = {question.id: group.document_of(question) for group in test for question in group.questions}
    scores = {method: score_rows(rows) for method, rows in answers.items()}
    metrics = {**_sizes(dataset, answers), **_chance(dataset, test, train)}
    for method, rows in answers.items():
        if not method.endswith(SWAPPED):
            metrics |= {f"{dataset}.{method}.{name}": value for name, value in aggregates(rows).items()}
    for prefix, measure, estimate in _estimates(scores, documents, confidence):
        metrics.update(_entries(f"{dataset}.{prefix}.{measure}", estimate))
    return metrics


def by_category(dataset: str, answers: Mapping[str, Sequence[AnswerRow]]) -> Metrics:
    """Mean headline scores of the questions of each category, such as ``squad.batch.dependent.em``.

    Args:
        dataset: first word of every key.
        answers: rows by method.

    Returns:
        Nothing where all questions are of one category.
    """
    scores = {method: score_rows(rows) for method, rows in answers.items()}
    return {
        f"{dataset}.{method}.{category}.{measure}": round(fmean(values.values()), DECIMALS)
        for method, rows in answers.items()
        for category, kept in split_by_category(rows).items()
        for measure, values in headlines_of(scores[method], kept).items()
    }


def _estimates(
    scores: Mapping[str, Scores], documents: Mapping[str, str], confidence: float
) -> Iterator[tuple[str, str, Estimate]]:
    for method, measures in scores.items():
        suffix = "_swapped_context" if method.endswith(SWAPPED) else ""
        for measure, by_question in measures.items():
            clusters = [documents[question] for question in by_question]
            estimate = mean_interval(list(by_question.values()), clusters, confidence)
            yield method.removesuffix(SWAPPED), measure + suffix, estimate
    for first, second in PAIRS:
        if {first, second} <= scores.keys():
            for measure, by_question in scores[first].items():
                estimate = paired_difference(by_question, scores[second].get(measure, {}), documents, confidence)
                yield f"{first}_minus_{second}", measure, estimate


def _sizes(dataset: str, answers: Mapping[str, Sequence[AnswerRow]]) -> Metrics:
    sizes: Metrics = {}
    for method, rows in answers.items():
        if method.endswith(SWAPPED):
            sizes[f"{dataset}.{method.removesuffix(SWAPPED)}.n_swapped_context"] = len(rows)
            continue
        sizes[f"{dataset}.{method}.n"] = len(rows)
        sizes[f"{dataset}.{method}.groups"] = len({row.group_id for row in rows})
        sizes[f"{dataset}.{method}.documents"] = len({row.document for row in rows})
        with_options = sum(bool(row.option_scores) for row in rows)
        if with_options:
            sizes[f"{dataset}.{method}.accuracy_n"] = with_options
    return sizes


def _chance(dataset: str, test: Sequence[QuestionGroup], train: Sequence[QuestionGroup]) -> Metrics:
    best = {"em": text_chance(test, train)}
    if any(len(question.correct) == 1 for group in test for question in group.questions):
        best["accuracy"] = choice_chance(test, train)
    values = {f"{dataset}.chance.{measure}": round(chance.value, DECIMALS) for measure, chance in best.items()}
    names = {f"{dataset}.chance.{measure}_predictor": chance.predictor for measure, chance in best.items()}
    return {**values, **names}


def _entries(key: str, estimate: Estimate) -> Metrics:
    ends = {key: estimate.value, f"{key}_low": estimate.low, f"{key}_high": estimate.high}
    return {name: round(value, DECIMALS) for name, value in ends.items()}


def _check_complete(dataset: str, method: str, rows: Sequence[AnswerRow], test: Sequence[QuestionGroup]) -> None:
    asked = {question.id for group in test for question in group.questions}
    answered = {row.question_id for row in rows}
    different = answered - asked if method.endswith(SWAPPED) else answered ^ asked
    if different:
        raise DataError(
            f"{dataset}/{method}: {len(different)} questions are not in both the test set ({len(asked)} questions) and "
            f"the answers ({len(answered)}), '{min(different)}' for one. Decode the test set again: dvc repro decode"
        )
