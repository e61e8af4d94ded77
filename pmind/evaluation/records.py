"""The answers of every method as records: sizes, speed, scores, differences to asking one question at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pmind.evaluation.comparison import compare
from pmind.evaluation.intervals import mean_interval
from pmind.evaluation.rows import AnswerRow
from pmind.evaluation.scores import BOUNDS, Scores, aggregates, headlines_of, score_rows, split_by_category
from pmind.evaluation.suite import Answers, Cell

REFERENCE = "sequential"  # what every other method is compared with
DECIMALS = 6

ScoreMore = Callable[[Sequence[AnswerRow]], Scores]  # scores that cost something: running code, asking a judge


def summarise_cells(
    answers: Mapping[Cell, Answers], confidence: float, score_more: ScoreMore = lambda rows: {}
) -> Iterator[dict[str, Any]]:
    """One record a cell: sizes, speed, every score with its interval, and the difference to sequential.

    It is flat but for ``categories``, the headline scores of each category of questions where there are several.

    Args:
        answers: of every cell, to the same questions.
        confidence: level of the intervals.
        score_more: scores beyond those that a row's text gives.
    """
    scores = {cell: {**score_rows(found.rows), **score_more(found.rows)} for cell, found in answers.items()}
    reference = next((cell for cell in answers if cell[0] == REFERENCE), None)
    for cell, found in answers.items():
        documents = {row.question_id: row.document for row in found.rows}
        record = {"method": cell[0], "branches": cell[1], **_speed(found)}
        usual: Scores = {}
        if reference is not None and cell != reference:
            record |= _against(found, answers[reference])
            usual = scores[reference]
        record |= _measured(scores[cell], usual, documents, confidence)
        categories = split_by_category(found.rows)
        if categories:
            record["categories"] = {
                name: _measured(headlines_of(scores[cell], rows), headlines_of(usual, rows), documents, confidence)
                for name, rows in categories.items()
            }
        yield record | aggregates(found.rows)


def _measured(scores: Scores, usual: Scores, documents: Mapping[str, str], confidence: float) -> dict[str, Any]:
    """Every score with its interval, and how it differs from the USUAL one where the same questions have both."""
    record: dict[str, Any] = {}
    for measure, values in scores.items():
        record |= _estimate(measure, values, documents, confidence)
        if values.keys() == usual.get(measure, {}).keys():
            record |= _difference(measure, values, usual[measure], documents, confidence)
    return record


def _speed(found: Answers) -> dict[str, Any]:
    return {
        "groups": len({row.group_id for row in found.rows}),
        "questions": len(found.rows),
        "documents": len({row.document for row in found.rows}),
        "prompt_tokens": sum(row.prompt_tokens for row in found.rows),
        "tokens": found.tokens,
        "rounds": max(row.round for row in found.rows),
        "no_room": sum(row.finish_reason == "no room" for row in found.rows),
        "missing": sum(row.finish_reason == "missing" for row in found.rows),
        "seconds": round(found.seconds, DECIMALS),
        "prefill_s": round(found.prefill_s, DECIMALS),
        "tokens_per_s": _rate(found.tokens, found.seconds),
        "questions_per_s": _rate(len(found.rows), found.seconds),
    }


def _rate(count: float, seconds: float) -> float:
    return round(count / seconds, 3) if seconds else 0.0  # no prompt had room


def _against(found: Answers, reference: Answers) -> dict[str, Any]:
    texts = {row.question_id: row.text for row in reference.rows}
    same = sum(row.text == texts[row.question_id] for row in found.rows)
    return {
        "speedup": _rate(reference.seconds, found.seconds),
        "same_answers": round(same / len(found.rows), DECIMALS),
    }


def _estimate(
    measure: str, values: Mapping[str, float], documents: Mapping[str, str], confidence: float
) -> dict[str, Any]:
    bounds = BOUNDS.get(measure, (0.0, 1.0))
    found = mean_interval(list(values.values()), [documents[question] for question in values], confidence, bounds)
    ends = {"": found.value, "_low": found.low, "_high": found.high}
    return {f"{measure}{end}": round(value, DECIMALS) for end, value in ends.items()} | {f"{measure}_n": found.n}


def _difference(
    measure: str,
    values: Mapping[str, float],
    reference: Mapping[str, float],
    documents: Mapping[str, str],
    confidence: float,
) -> dict[str, Any]:
    low, high = BOUNDS.get(measure, (0.0, 1.0))
    found = compare(values, reference, documents, confidence, (low - high, high - low))
    ends = {"": found.difference.value, "_low": found.difference.low, "_high": found.difference.high}
    name = f"{measure}_minus_{REFERENCE}"
    return {f"{name}{end}": round(value, DECIMALS) for end, value in ends.items()} | {
        f"{name}_p": round(found.p_value, DECIMALS)
    }
