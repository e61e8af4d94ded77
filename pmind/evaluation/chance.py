"""How far a guess gets that never reads the passage.

A model that reads must beat the best of these guesses, and must fall to it when the passage is
swapped for another. Each guess may know the other documents' answers, never the document's own;
only ``frequent`` and ``uniform`` need no such rule.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pmind.errors import DataError
from pmind.evaluation.text_match import answer_tokens
from pmind.tasks.records import Question, QuestionGroup

Asked = tuple[str, Question]  # document, question
Key = Callable[[str, Question], str]


@dataclass(frozen=True)
class Chance:
    """The best passage-blind guess: share of questions it answers, and its name."""

    value: float
    predictor: str


def text_chance(test: Sequence[QuestionGroup], train: Sequence[QuestionGroup]) -> Chance:
    """Exact match of the best passage-blind answer to the questions of TEST.

    ========================================  ===================================================
    ``frequent``                              one answer to everything, the most frequent in TEST
    ``question``, ``pattern``                 the other test documents' most frequent answer to
                                              the same question or pattern, else ``frequent``
    ``training_question``,                    the training documents' most frequent answer to it,
    ``training_pattern``                      else ``frequent``
    ========================================  ===================================================

    Raises:
        DataError: TEST has no questions.
    """
    asked, trained = _asked(test), list(_pairs(train))
    frequent = _most_frequent(Counter(answer for _, question in asked for answer in _answers(question)))
    guesses = {"frequent": [frequent] * len(asked)}
    for name, key in {"question": _text, "pattern": question_pattern}.items():
        guesses[name] = _guesses(asked, asked, key, frequent)
        guesses[f"training_{name}"] = _guesses(asked, trained, key, frequent)
    return _best({name: _exact(asked, answers) for name, answers in guesses.items()})


def choice_chance(test: Sequence[QuestionGroup], train: Sequence[QuestionGroup]) -> Chance:
    """Accuracy of the best passage-blind choice over the questions of TEST with one right option.

    ===========  =============================================================================
    ``uniform``  any option: 1 / number of options
    ``letter``   the letter most often right in other test documents
    ``option``   the option whose text is most often right in other documents, training included
    ===========  =============================================================================

    A guess torn between several options is right with one chance in their number.

    Raises:
        DataError: TEST has no such questions.
    """
    asked = _chosen(_asked(test))
    if not asked:
        raise DataError("no test question has one right option, so there is no multiple-choice chance to compute")
    letters = _Votes(asked, lambda document, question: "", lambda question: [str(question.correct[0])])
    known = [*asked, *_chosen(_pairs(train))]
    options = _Votes(known, lambda document, question: "", lambda question: [question.options[question.correct[0]]])
    return _best(
        {
            "uniform": [1 / len(question.options) for _, question in asked],
            "letter": [
                _credit(
                    letters.elsewhere("", document), [str(index) for index in range(len(question.options))], question
                )
                for document, question in asked
            ],
            "option": [
                _credit(options.elsewhere("", document), question.options, question) for document, question in asked
            ],
        }
    )


def question_pattern(document: str, question: Question) -> str:
    """The question's text with the words of the document's title masked.

    Example:
        >>> question = Question("1", "When did Marie Curie die?", ("1934",))
        >>> question_pattern("Marie_Curie", question)
        'When did _ die?'
    """
    title = document.replace("_", " ").strip()
    words = [word for word in re.findall(r"\w+", title) if len(word) > 3 or not word.isascii()]
    names = "|".join(re.escape(name) for name in sorted({title, *words} - {""}, key=len, reverse=True))
    masked = re.sub(rf"(?<![A-Za-z0-9])(?:{names})(?![A-Za-z0-9])", "_", question.text, flags=re.IGNORECASE)
    return re.sub(r"_(\s*_)+", "_", masked) if names else question.text


class _Votes:
    """Right answers by key, with those of any one document taken out again."""

    def __init__(self, pairs: Iterable[Asked], key: Key, answers: Callable[[Question], Iterable[str]]) -> None:
        self.total: Mapping[str, Counter] = defaultdict(Counter)
        self.own: Mapping[tuple[str, str], Counter] = defaultdict(Counter)
        for document, question in pairs:
            for answer in answers(question):
                self.total[key(document, question)][answer] += 1
                self.own[key(document, question), document][answer] += 1

    def elsewhere(self, key: str, document: str) -> Counter:
        """Answers to KEY outside DOCUMENT."""
        return self.total[key] - self.own[key, document] if key in self.total else Counter()


def _pairs(groups: Iterable[QuestionGroup]) -> Iterator[Asked]:
    return ((group.document_of(question), question) for group in groups for question in group.questions)


def _chosen(pairs: Iterable[Asked]) -> list[Asked]:
    return [pair for pair in pairs if len(pair[1].correct) == 1]


def _asked(test: Sequence[QuestionGroup]) -> list[Asked]:
    asked = list(_pairs(test))
    if not asked:
        raise DataError("the test set has no questions. Run the group stage again: dvc repro group")
    return asked


def _guesses(asked: list[Asked], known: list[Asked], key: Key, otherwise: str) -> list[str]:
    votes = _Votes(known, key, _answers)
    guesses = (votes.elsewhere(key(document, question), document) for document, question in asked)
    return [_most_frequent(answers) if answers else otherwise for answers in guesses]


def _exact(asked: list[Asked], guesses: list[str]) -> list[float]:
    return [float(guess in _answers(question)) for (_, question), guess in zip(asked, guesses, strict=True)]


def _credit(votes: Counter, options: Sequence[str], question: Question) -> float:
    most = max(votes[option] for option in options)
    tied = [index for index, option in enumerate(options) if votes[option] == most]
    return 1 / len(tied) if question.correct[0] in tied else 0.0


def _best(credits: Mapping[str, list[float]]) -> Chance:
    values = {name: sum(credit) / len(credit) for name, credit in credits.items()}
    name = max(values, key=values.__getitem__)
    return Chance(values[name], name)


def _text(document: str, question: Question) -> str:
    return question.text


def _answers(question: Question) -> set[str]:
    """Normalised; a question that nothing answers is answered by saying nothing."""
    return {" ".join(answer_tokens(answer)) for answer in question.answers or ("",)}


def _most_frequent(answers: Counter) -> str:
    return min(answers, key=lambda answer: (-answers[answer], answer))
