"""all_in_one: one prompt with all questions, answers read back from the numbered lines of one reply."""

import re
from dataclasses import replace

from pmind.methods.group import GroupPrompts
from pmind.methods.rounds import Prompt, Reply, Rounds

INSTRUCTION = "Answer every question on a line of its own: its number, a full stop, the answer and nothing else."
LINE_TOKENS = 6  # number, full stop and line end
NUMBERED = re.compile(
    r"^[ \t]*(?:\**Q(?:uestion)?[ \t]*|问题[ \t]*)?\**(\d{1,3})\**[ \t]*[.):：、．]\**[ \t]*", re.M | re.I
)
TAGGED = re.compile(r"<answer>(.*?)(?:</answer>|$)", re.S)


def all_in_one(group: GroupPrompts) -> Rounds:
    """One round of one prompt."""
    asked = group.group.questions
    questions = [f"{number}. {question.text}\n{question.lettered}".rstrip() for number, question in enumerate(asked, 1)]
    passages = {question.context: None for question in asked if question.context}
    own = "".join(group.template.context.format(context=passage) for passage in passages)
    text = "\n".join((INSTRUCTION, *questions, "", "1."))
    tokens = group.size * (group.max_new_tokens + LINE_TOKENS)
    ((reply,),) = yield [replace(group.ask(Prompt(own + text)), max_new_tokens=tokens, stop=())]
    return _shared_out(reply, read_back(reply.text, group.size))


def read_back(reply: str, count: int) -> list[str | None]:
    """Answers 1 … COUNT in a reply to the prompt, which ends with the first number: a chat model repeats it.

    Example:
        >>> read_back(" Livia\\n2. Corvow", 2), read_back("1. Livia", 2)
        (['Livia', 'Corvow'], ['Livia', None])
    """
    return parse_numbered(reply if NUMBERED.match(reply.lstrip()) else f"1. {reply}", count)


def parse_numbered(text: str, count: int) -> list[str | None]:
    """Answers 1 … COUNT in TEXT, ``None`` where one is missing; of several with one number the first counts.

    An answer ends with its line, or with ``</answer>`` where the model puts tags around it.

    Example:
        >>> parse_numbered("1. Livia\\n3) a lake\\nQ2: <answer>in\\nCorvow</answer>", 4)
        ['Livia', 'in\\nCorvow', 'a lake', None]
    """
    marks = list(NUMBERED.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    found: dict[int, str] = {}
    for mark, end in zip(marks, ends, strict=True):
        found.setdefault(int(mark[1]), _answer(text[mark.end() : end]))
    return [found.get(number) for number in range(1, count + 1)]


def _answer(part: str) -> str:
    tagged = TAGGED.search(part)
    return tagged[1].strip() if tagged else part.strip().partition("\n")[0].strip()


def _shared_out(reply: Reply, answers: list[str | None]) -> list[Reply]:
    """A reply a question; what it cost is on the first one's account."""
    bare = replace(reply, prompt_tokens=0, new_tokens=0, token_ids=())
    replies = [replace(bare, text=answer or "", finish_reason=_reason(reply, answer)) for answer in answers]
    replies[0] = replace(replies[0], prompt_tokens=reply.prompt_tokens, new_tokens=reply.new_tokens)
    return replies


def _reason(reply: Reply, answer: str | None) -> str:
    return "missing" if answer is None and reply.finish_reason != "no room" else reply.finish_reason
