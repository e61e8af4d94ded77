"""Scores of an answer row: which measures its dataset is scored by, and what they say.

=============  ==================================================================================
``squad``,     ``em`` and ``f1`` as SQuAD's evaluators compute them; Chinese by characters;
``squad2``     a question without references is answered by saying nothing
``hotpot``     HotpotQA's ``em`` and ``f1``
``drop``       DROP's ``em`` and ``f1``: numbers, dates, several spans
``cmrc``       CMRC 2018's ``em`` and ``f1``
``quac``       QuAC's ``f1``, for questions on which annotators agree; ``em``
``choice``     ``accuracy``: the likeliest option is the right one; ``accuracy_generated``: the answer
               names exactly the right options; ``em`` and ``f1`` of its text
``multirc``    ``em``: exactly the right options are named; ``f1``: overlap with them
``text``       ``em``, ``f1``, ``bleu4``, ``rouge1``, ``rouge2``, ``rougeL``
``gsm8k``      ``accuracy``: the last number is right; ``accuracy_strict``: the one announced as the answer
``humaneval``  nothing unless its programs are run: then ``pass_at_1``
=============  ==================================================================================

All but the last four also have ``lenient``: one contains the other.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from pmind.evaluation.intervals import Bounds
from pmind.evaluation.metrics import multirc
from pmind.evaluation.metrics.choices import extract_letters, match_option_text
from pmind.evaluation.metrics.cmrc import cmrc_exact, cmrc_f1
from pmind.evaluation.metrics.drop import drop_exact, drop_f1
from pmind.evaluation.metrics.hotpot import hotpot_exact, hotpot_f1
from pmind.evaluation.metrics.lenient import lenient_match
from pmind.evaluation.metrics.numbers import flexible_number, number_correct, strict_number
from pmind.evaluation.metrics.overlap import bleu4, corpus_bleu4, rouge
from pmind.evaluation.metrics.quac import is_scored, quac_f1
from pmind.evaluation.rows import AnswerRow
from pmind.evaluation.text_match import CJK, exact_match, f1
from pmind.tasks.records import LETTERS

Scores = dict[str, dict[str, float]]  # measure -> question id -> score
Measures = Callable[[AnswerRow], dict[str, float]]
TextScore = Callable[[str, Sequence[str]], float]  # of a text and its references
HEADLINES = ("accuracy", "em")  # the first of these that a dataset has; all of them are told of every category
COMPARED = ("accuracy", "accuracy_generated", "em", "f1")  # what comparisons of methods show
GRADES: Bounds = (1.0, 5.0)
BOUNDS: Mapping[str, Bounds] = {  # of measures that do not lie between 0 and 1
    f"judge_{dimension}": GRADES for dimension in ("fluency", "relevance", "completeness", "proficiency")
}


def score_rows(rows: Sequence[AnswerRow]) -> Scores:
    """All measures of all rows; a measure holds the questions that have it."""
    scores: Scores = defaultdict(dict)
    for row in rows:
        for measure, score in scores_of(row).items():
            scores[measure][row.question_id] = score
    return dict(scores)


def split_by_category(rows: Sequence[AnswerRow]) -> dict[str, list[AnswerRow]]:
    """The rows of each category, by name; nothing where there are fewer than two."""
    found: dict[str, list[AnswerRow]] = defaultdict(list)
    for row in rows:
        found[row.category].append(row)
    return dict(sorted(found.items())) if len(found) > 1 else {}


def headlines_of(scores: Scores, rows: Sequence[AnswerRow]) -> Scores:
    """Headline scores of ROWS alone, of those that all rows have."""
    kept = {row.question_id for row in rows}
    found = {
        measure: {question: score for question, score in scores[measure].items() if question in kept}
        for measure in HEADLINES
        if measure in scores
    }
    return {measure: values for measure, values in found.items() if values}


def scores_of(row: AnswerRow) -> dict[str, float]:
    """All measures of one row.

    Raises:
        KeyError: the row's scoring is none of the table above.
    """
    return SCORINGS[row.scoring](row)


def aggregates(rows: Sequence[AnswerRow]) -> dict[str, float]:
    """Measures of all rows together that are no means over questions, under the names their papers give them.

    BLEU over the corpus for free text; F1 over all options for MultiRC; for SQuAD 2.0 the scores of
    questions with and without an answer.
    """
    found: dict[str, float] = {}
    free = [row for row in rows if row.scoring == "text"]
    if free:
        language = "zh" if any(CJK.search(reference) for row in free for reference in row.references) else "en"
        found["corpus_bleu4"] = corpus_bleu4([row.text for row in free], [row.references for row in free], language)
    sets = [(named_options(row) or (), row.correct) for row in rows if row.scoring == "multirc"]
    if sets:
        predicted, right = zip(*sets, strict=True)
        found["f1a"] = multirc.f1a(predicted, right)
    for kind in ("HasAns", "NoAns"):
        kept = [scores_of(row) for row in rows if row.scoring == "squad2" and row.category == kind]
        for measure in ("em", "f1") if kept else ():
            found[f"{kind}_{measure}"] = sum(scores[measure] for scores in kept) / len(kept)
    return {name: round(value, 6) for name, value in found.items()}


def chosen_option(row: AnswerRow) -> int | None:
    """Index of the most likely option; ``None`` where they were not scored and for a tie at the top."""
    if not row.option_scores:
        return None
    best = max(row.option_scores)
    return row.option_scores.index(best) if row.option_scores.count(best) == 1 else None


def chosen_letter(row: AnswerRow) -> str | None:
    """Letter of :func:`chosen_option`."""
    option = chosen_option(row)
    return None if option is None else LETTERS[option]


def choice_correct(row: AnswerRow) -> bool:
    """Whether the most likely option is the right one; a tie at the top is wrong."""
    return row.correct == (chosen_option(row),)


def named_options(row: AnswerRow) -> tuple[int, ...] | None:
    """Options that the answer's text names, by their letters or else by their text; ``None`` if it is undecided."""
    by_letter = extract_letters(row.text, len(row.options), multiple=len(row.correct) > 1 or row.scoring == "multirc")
    if by_letter is not None:
        return by_letter
    option = match_option_text(row.text, row.options)
    return None if option is None else (option,)


def _matching(exact: TextScore, overlap: TextScore) -> Measures:
    """Scores of a text against its references, by a dataset's own EXACT match and OVERLAP."""
    return lambda row: {"em": exact(row.text, row.references), "f1": overlap(row.text, row.references), **_lenient(row)}


def _quac(row: AnswerRow) -> dict[str, float]:
    agreed = {"f1": quac_f1(row.text, row.references)} if is_scored(row.references) else {}
    return {"em": exact_match(row.text, row.references), **agreed, **_lenient(row)}


def _choice(row: AnswerRow) -> dict[str, float]:
    ranked = {"accuracy": float(choice_correct(row))} if row.option_scores else {}
    return {**ranked, "accuracy_generated": float(named_options(row) == row.correct), **TEXT_MATCH(row)}


def _multirc(row: AnswerRow) -> dict[str, float]:
    named = named_options(row) or ()
    both = len({*named} & {*row.correct})
    overlap = 2 * both / (len(named) + len(row.correct)) if named or row.correct else 1.0
    return {"em": multirc.question_exact(named, row.correct), "f1": overlap}


def _free_text(row: AnswerRow) -> dict[str, float]:
    language = "zh" if any(map(CJK.search, row.references)) else "en"
    overlaps = {"bleu4": bleu4(row.text, row.references, language), **rouge(row.text, row.references, language)}
    return {"em": exact_match(row.text, row.references), "f1": f1(row.text, row.references), **overlaps}


def _gsm8k(row: AnswerRow) -> dict[str, float]:
    gold = f"#### {row.references[0]}"
    found = {"accuracy": flexible_number(row.text), "accuracy_strict": strict_number(row.text)}
    return {measure: number_correct(number, gold) for measure, number in found.items()}


def _nothing(row: AnswerRow) -> dict[str, float]:
    return {}


def _lenient(row: AnswerRow) -> dict[str, float]:
    return {"lenient": lenient_match(row.text, row.references)} if row.references else {}


TEXT_MATCH = _matching(exact_match, f1)
SCORINGS: Mapping[str, Measures] = {
    "squad": TEXT_MATCH,
    "squad2": TEXT_MATCH,
    "hotpot": _matching(hotpot_exact, hotpot_f1),
    "drop": _matching(drop_exact, drop_f1),
    "cmrc": _matching(cmrc_exact, cmrc_f1),
    "quac": _quac,
    "choice": _choice,
    "multirc": _multirc,
    "text": _free_text,
    "gsm8k": _gsm8k,
    "humaneval": _nothing,
}
