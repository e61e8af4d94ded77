"""What stands below an evaluation's table: its conditions, what was left out, and the rows behind it."""

from collections.abc import Mapping

from pmind.reports import formats
from pmind.reports.evaluation_runs import EvaluationRun
from pmind.reports.formats import Value

DIGITS = 12  # of a SHA-256: enough to tell files apart
COUNTED = ("questions", "groups", "documents")
LIMITS = {  # condition -> what it is the most of
    "max_questions": "{} questions a group",
    "max_context_tokens": "{} tokens of context",
    "max_new_tokens": "{} tokens of an answer",
}
SETTINGS = {  # condition -> words
    "visibility": "visibility {}",
    "rope_2d_ratio": "`rope_2d_ratio` {}",
    "grouping": "grouping {}",
}


def notes(run: EvaluationRun) -> tuple[str, ...]:
    """All notes of one run."""
    return conditions(run), left_out(run), rows_behind(run)


def conditions(run: EvaluationRun) -> str:
    """The model and machine, how many questions from where, and how they were put."""
    told = run.conditions
    parameters = f" ({formats.setting(told['parameters'])} parameters)" if "parameters" in told else ""
    limits = [words.format(formats.setting(told[key])) for key, words in LIMITS.items() if key in told]
    parts = (
        ", ".join(filter(None, (f"`{run.model}`{parameters}", machine(told)))),
        _questions(run),
        _prompts(told),
        f"at most {', '.join(limits)}" if limits else "",
        ", ".join(words.format(formats.setting(told[key])) for key, words in SETTINGS.items() if key in told),
        _repeats(told),
        f"{intervals(told)} clustered by document",
    )
    return f"Conditions: {'; '.join(filter(None, parts))}."


def machine(values: Mapping[str, Value]) -> str:
    """What the speed depends on beside the model: dtype, device, processor, threads, processes."""
    said = [str(values[key]) for key in ("dtype", "device") if key in values]
    if values.get("device", "cpu") == "cpu" and "cpu" in values:
        said[-1] = str(values["cpu"])
    if values.get("device", "cpu") == "cpu":
        said += _count(values.get("threads"), "thread")
    return ", ".join(said + (_count(values.get("processes"), "process", "processes") if _several(values) else []))


def intervals(values: Mapping[str, Value]) -> str:
    """What the numbers in parentheses are: ``95 % intervals``."""
    confidence = values.get("confidence")
    return f"{100 * confidence:g}{formats.PERCENT} intervals" if isinstance(confidence, float) else "intervals"


def left_out(run: EvaluationRun) -> str:
    """Which questions were not asked, or not with the whole of their context."""
    found = {
        "Left out": _counts(run, "dropped_"),
        "Truncated": _counts(run, "truncated_"),
    }
    if not any(key.startswith(("dropped_", "truncated_")) for key in run.groups):
        return "What was left out is not recorded."
    said = [f"{verb}: {', '.join(counts)}." for verb, counts in found.items() if counts]
    return " ".join(said) or "Nothing was left out or truncated."


def rows_behind(run: EvaluationRun) -> str:
    """The run's file, and the files with the answers that each row was made from."""
    answers = [f"`{run.dataset}/{run.model}/{name}` ({_digest(sha)})" for name, sha in _in_table_order(run)]
    made = f"; answers, sha256: {', '.join(answers)}" if answers else "; its answers are not recorded"
    return f"Rows behind it: `metrics/{run.file}`{made}."


def _questions(run: EvaluationRun) -> str:
    counts = {key: max((row[key] for row in run.rows.values() if key in row), default=None) for key in COUNTED}
    questions, groups, documents = (formats.fixed(count, 0) for count in counts.values())
    source = f" from `{run.conditions['source']}`" if "source" in run.conditions else ""
    return f"{questions} questions in {groups} groups of {documents} documents of {run.dataset}{source}"


def _prompts(values: Mapping[str, Value]) -> str:
    if "own_prompts" not in values:
        return ""
    return "the prompts the model was trained with" if values["own_prompts"] else "the dataset's prompts"


def _repeats(values: Mapping[str, Value]) -> str:
    repeats = values.get("repeats", 1)
    return f"times are medians of {repeats} runs" if repeats != 1 else "each row timed once"


def _counts(run: EvaluationRun, prefix: str) -> list[str]:
    named = {
        key.removeprefix(prefix).replace("_", " "): count for key, count in run.groups.items() if key.startswith(prefix)
    }
    return [f"{formats.fixed(count, 0)} {name}" for name, count in named.items() if count]


def _in_table_order(run: EvaluationRun) -> list[tuple[str, str]]:
    return [run.answers[cell] for cell in run.rows if cell in run.answers]


def _digest(sha256: str) -> str:
    return sha256[:DIGITS] or "not recorded"


def _several(values: Mapping[str, Value]) -> bool:
    return values.get("processes", 1) != 1


def _count(number: Value | None, one: str, more: str = "") -> list[str]:
    return [] if number is None else [f"{number} {one if number == 1 else more or f'{one}s'}"]
