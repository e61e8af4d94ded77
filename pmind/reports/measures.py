"""Names of scores, and how each is written: shares in percent, a judge's grades as they are."""

from pmind.reports import formats
from pmind.reports.formats import Number

NAMES = {
    "em": "Exact match",
    "f1": "F1",
    "accuracy": "Accuracy",
    "accuracy_generated": "Accuracy of the text",
    "accuracy_strict": "Accuracy, announced number",
    "pass_at_1": "pass@1",
    "lenient": "Lenient match",
    "bleu4": "BLEU-4",
    "corpus_bleu4": "BLEU-4 of the corpus",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "f1a": "F1 over all options",
    "HasAns_em": "Exact match, answerable",
    "HasAns_f1": "F1, answerable",
    "NoAns_em": "Exact match, unanswerable",
    "NoAns_f1": "F1, unanswerable",
}
JUDGE = "judge_"  # how the names of grades begin


def name(measure: str) -> str:
    """What a measure is called; one without a name here is called by its key.

    Example:
        >>> name("rougeL"), name("judge_fluency"), name("some_score")
        ('ROUGE-L', 'Judge: fluency', 'some score')
    """
    if measure.startswith(JUDGE):
        return f"Judge: {measure.removeprefix(JUDGE)}"
    return NAMES.get(measure, measure.replace("_", " "))


def title(measure: str) -> str:
    """The name with its unit, to head a column.

    Example:
        >>> title("em"), title("judge_fluency")
        ('Exact match, %', 'Judge: fluency, 1–5')
    """
    return f"{name(measure)}, {'1–5' if measure.startswith(JUDGE) else '%'}"


def score(measure: str, value: Number, low: Number = None, high: Number = None) -> str:
    """A score with its interval.

    Example:
        >>> score("em", 0.5, 0.25, 0.75), score("judge_fluency", 3.5, 3.0, 4.25)
        ('50.0 (25.0–75.0)', '3.50 (3.00–4.25)')
    """
    if not measure.startswith(JUDGE):
        return formats.share(value, low, high)
    text = formats.fixed(value, 2)
    return text if low is None or high is None else f"{text} ({low:.2f}–{high:.2f})"


def difference(measure: str, value: Number, low: Number = None, high: Number = None) -> str:
    """A difference of scores with its interval, shares in percentage points.

    Example:
        >>> difference("em", 0.01, -0.02, 0.04), difference("judge_fluency", -0.5)
        ('+1.0 (−2.0…+4.0)', '−0.50')
    """
    if not measure.startswith(JUDGE):
        return formats.points(value, low, high)
    text = formats.signed(value, 2)
    return text if low is None or high is None else f"{text} ({formats.signed(low, 2)}…{formats.signed(high, 2)})"
