"""GSM8K: grade school mathematics in words, answered by a number (Cobbe et al., 2021)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError
from pmind.corpora.sources import read_json_lines, require, require_text
from pmind.tasks.dataset import Dataset
from pmind.tasks.exams import few_shot_block, split_name
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

FINAL = re.compile(r"#### (-?[0-9.,]+)")  # ANS_RE of the authors' code
TEMPLATE = PromptTemplate(context="{context}", prompt="Q: {question}\nA:")

# Chain-of-thought examples of Wei et al. (2022), table 20, as lm-evaluation-harness writes them (task gsm8k_cot).
EXAMPLES = (
    (
        "There are 15 trees in the grove. Grove workers will plant trees in the grove today. After they are done, "
        "there will be 21 trees. How many trees did the grove workers plant today?",
        "There are 15 trees originally. Then there were 21 trees after some more were planted. So there must have "
        "been 21 - 15 = 6. The answer is 6.",
    ),
    (
        "If there are 3 cars in the parking lot and 2 more cars arrive, how many cars are in the parking lot?",
        "There are originally 3 cars. 2 more cars arrive. 3 + 2 = 5. The answer is 5.",
    ),
    (
        "Leah had 32 chocolates and her sister had 42. If they ate 35, how many pieces do they have left in total?",
        "Originally, Leah had 32 chocolates. Her sister had 42. So in total they had 32 + 42 = 74. After eating 35, "
        "they had 74 - 35 = 39. The answer is 39.",
    ),
    (
        "Jason had 20 lollipops. He gave Denny some lollipops. Now Jason has 12 lollipops. How many lollipops did "
        "Jason give to Denny?",
        "Jason started with 20 lollipops. Then he had 12 after giving some to Denny. So he gave Denny 20 - 12 = 8. "
        "The answer is 8.",
    ),
    (
        "Shawn has five toys. For Christmas, he got two toys each from his mom and dad. How many toys does he have "
        "now?",
        "Shawn started with 5 toys. If he got 2 toys each from his mom and dad, then that is 4 more toys. 5 + 4 = 9. "
        "The answer is 9.",
    ),
    (
        "There were nine computers in the server room. Five more computers were installed each day, from monday to "
        "thursday. How many computers are now in the server room?",
        "There were originally 9 computers. For each of 4 days, 5 more computers were added. So 5 * 4 = 20 computers "
        "were added. 9 + 20 is 29. The answer is 29.",
    ),
    (
        "Michael had 58 golf balls. On tuesday, he lost 23 golf balls. On wednesday, he lost 2 more. How many golf "
        "balls did he have at the end of wednesday?",
        "Michael started with 58 golf balls. After losing 23 on tuesday, he had 58 - 23 = 35. After losing 2 more, "
        "he had 35 - 2 = 33 golf balls. The answer is 33.",
    ),
    (
        "Olivia has $23. She bought five bagels for $3 each. How much money does she have left?",
        "Olivia had 23 dollars. 5 bagels for 3 dollars each will be 5 x 3 = 15 dollars. So she has 23 - 15 dollars "
        "left. 23 - 15 is 8. The answer is 8.",
    ),
)


def read_gsm8k(path: Path, intake: Intake, *, shots: int = len(EXAMPLES)) -> list[QuestionGroup]:
    """Make one group of a file; each question is a document of its own.

    A question's answer, and so its training target, is the final number without commas: the way to
    it is what a model writes after the examples, and is not scored.

    Args:
        path: a file of ``{"question", "answer"}`` a line, the answer ending in ``#### 42``.
        intake: notes ids and what is left out (``duplicate_questions``).
        shots: solved examples in the context.

    Raises:
        DataError: another schema, or an answer without a final number; names the line.
    """
    return _group(read_json_lines(path), split_name(str(path)), intake, shots)


def gsm8k_rows(
    rows: Iterable[Mapping[str, Any]], where: str, intake: Intake, *, shots: int = len(EXAMPLES)
) -> list[QuestionGroup]:
    """The group of the Hub's rows (``question``, ``answer``); see :func:`read_gsm8k`."""
    placed = ((f"{where} row {number}", row) for number, row in enumerate(rows))
    return _group(placed, split_name(where), intake, shots)


def _group(placed: Iterable[tuple[str, Any]], split: str, intake: Intake, shots: int) -> list[QuestionGroup]:
    examples = (Question("", question, (answer,)) for question, answer in EXAMPLES[:shots])
    asked = []
    for number, (where, entry) in enumerate(placed):
        text = require_text(entry, "question", where)
        final = FINAL.search(require(entry, "answer", str, where))
        if final is None:
            raise SchemaError(f"{where}.answer", "ends in no number after '#### '")
        identity = intake.new_id(f"gsm8k-{split}-{number}", where)
        asked.append(Question(identity, text, (final[1].replace(",", ""),), document=identity))
    questions = intake.distinct(asked)
    context = few_shot_block("", examples, TEMPLATE)
    return [QuestionGroup(questions[0].id, f"gsm8k-{split}", context, questions)] if questions else []


GSM8K = Dataset(
    about="grade school mathematics, eight examples with a chain of thought before (GSM8K)",
    language="en",
    scoring="gsm8k",
    read=read_gsm8k,
    rows=gsm8k_rows,
    hub="openai/gsm8k:main",
    template=TEMPLATE,
    max_new_tokens=256,
    stop=("Q:",),
)
GSM8K_ZERO_SHOT = replace(  # texts of lm-evaluation-harness, task gsm8k_cot_zeroshot
    GSM8K,
    about="GSM8K without examples, asked to think step by step",
    read=partial(read_gsm8k, shots=0),
    rows=partial(gsm8k_rows, shots=0),
    template=replace(TEMPLATE, prompt="Q: {question}\nA: Let's think step by step."),
)
