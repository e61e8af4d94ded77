"""A dataset's questions, grouped, fitted to whoever answers, and ready to be asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pmind.corpora.tokenizer import token_counter, token_cutter
from pmind.decoding.texts import Texts
from pmind.errors import DataError
from pmind.evaluation.answering import Asking, asking_for, fitting_groups
from pmind.methods.group import LETTERS_A_TOKEN, estimate_tokens
from pmind.params import LongContexts, TaskParams
from pmind.tasks.catalog import find_dataset
from pmind.tasks.grouping import Tokens, fit_groups, group_stats
from pmind.tasks.loading import load_questions
from pmind.tasks.records import QuestionGroup

ESTIMATED = Tokens(estimate_tokens, lambda text, most: text[: LETTERS_A_TOKEN * most])


@dataclass(frozen=True)
class Prepared:
    """Questions to ask.

    Attributes:
        groups: at least one.
        asking: how they are put.
        max_new_tokens: most tokens of an answer.
        counts: sizes, and what was left out by reason.
    """

    groups: Sequence[QuestionGroup]
    asking: Asking
    max_new_tokens: int
    counts: dict[str, float]


def resolve_source(dataset: str, source: str) -> str:
    """SOURCE, or the Hub id of the dataset where it is empty.

    Raises:
        DataError: the Hub has no such dataset that is read here.
    """
    found = find_dataset(dataset)
    if not (source or found.hub):
        raise DataError(f"the Hub has no '{dataset}' that is read here; name its file or folder with --source")
    return source or found.hub


def asked_of(
    dataset: str,
    source: str,
    *,
    test_groups: int,
    min_questions: int,
    max_questions: int,
    max_context_tokens: int,
    long_contexts: LongContexts,
) -> TaskParams:
    """Questions of a dataset in its own groups, nothing to train on.

    Args:
        dataset: its name.
        source: file, folder or Hub id; the dataset's own Hub id where it is empty.
        test_groups: most groups; of more a sample is taken.
        min_questions: smaller groups are left out.
        max_questions: larger groups are cut into several.
        max_context_tokens: most tokens of a context.
        long_contexts: whether what has a longer one is left out, or its context cut.
    """
    return TaskParams(
        dataset=dataset,
        source=resolve_source(dataset, source),
        test_source="",
        grouping="auto",
        similarity=0.0,
        similarity_model="",
        train_groups=1,
        test_groups=test_groups,
        min_questions=min_questions,
        max_questions=max_questions,
        max_context_tokens=max_context_tokens,
        long_contexts=long_contexts,
    )


def prepare(
    asked: TaskParams,
    seed: int,
    texts: Texts | None = None,
    max_new_tokens: int | None = None,
    instruction: str = "",
) -> Prepared:
    """Load, group and fit a dataset's test questions.

    Args:
        asked: dataset, source and sizes; of more groups than its ``test_groups`` a sample is taken.
        seed: of samples and random groups.
        texts: of the model that answers; without them a server does, whose tokens are estimated.
        max_new_tokens: most tokens of an answer; the dataset's own where left out.
        instruction: heads every question, for models that follow one.

    Raises:
        DataError: nothing fits.
    """
    dataset = find_dataset(asked.dataset)
    words = texts and texts.tokenizer
    tokens = Tokens(token_counter(words), token_cutter(words)) if words else ESTIMATED
    task = load_questions(asked, seed)
    kept, counts = fit_groups(
        task.test,
        min_questions=asked.min_questions,
        max_questions=asked.max_questions,
        max_context_tokens=asked.max_context_tokens,
        max_groups=asked.test_groups,
        tokens=tokens,
        seed=seed,
        long_contexts=asked.long_contexts,
    )
    asking = _instructed(asking_for(texts, asked.dataset, dataset), instruction)
    new_tokens = max_new_tokens or dataset.max_new_tokens
    beyond = 0
    if texts:
        kept, beyond = fitting_groups(texts, kept, asking, new_tokens)
    if not kept:
        raise DataError(f"{asked.source}: no question fits the model's positions with its context and its answer")
    counts |= group_stats(kept, tokens.count) | {"dropped_questions_beyond_positions": beyond}
    counts |= {f"dropped_{reason}": count for reason, count in task.dropped.items()}
    return Prepared(kept, asking, new_tokens, counts)


def _instructed(asking: Asking, instruction: str) -> Asking:
    if not instruction:
        return asking
    head = instruction.replace("{", "{{").replace("}", "}}")
    return replace(asking, template=replace(asking.template, prompt=f"{head}\n{asking.template.prompt}"))
