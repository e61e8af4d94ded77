"""A group as methods see it: rendered texts, and how an answer looks to those who read it later."""

from dataclasses import dataclass

from pmind.methods.rounds import Ask, Prompt
from pmind.tasks.prompts import Exchange, PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

LETTERS_A_TOKEN = 4
WIDE = 0x2E80  # where the scripts begin that have a token a letter


@dataclass(frozen=True)
class GroupPrompts:
    """A group of questions, ready to be asked.

    Attributes:
        group: the questions.
        template: texts around them.
        max_new_tokens: most tokens of an answer.
        stop: texts that end one.
    """

    group: QuestionGroup
    template: PromptTemplate
    max_new_tokens: int
    stop: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of questions."""
        return len(self.group.questions)

    def prompt(self, index: int, history: tuple[Exchange, ...] = ()) -> Prompt:
        """Question ``index``, with its options where a likelihood can choose among them."""
        question = self.group.questions[index]
        options = tuple(self.template.render_options(question)) if is_ranked(question) else ()
        closed = self.template.choice != "letter"  # no letter begins with another
        return Prompt(self.template.render_prompt(question), history, options, closed)

    def bare(self, index: int) -> str:
        """The question without a passage of its own."""
        return self.template.render_question(self.group.questions[index])

    def exchange(self, index: int, answer: str) -> Exchange:
        """Question ``index`` with its answer, for the prompts of others."""
        return Exchange(index + 1, self.bare(index), self.template.render_continuation(answer.strip()))

    def ask(self, *prompts: Prompt) -> Ask:
        """PROMPTS beside the group's context."""
        return Ask(self.template.render_context(self.group), prompts, self.max_new_tokens, self.stop)


def is_ranked(question: Question) -> bool:
    """Whether one of several options is right: likelihoods rank options, they do not choose a set of them."""
    return len(question.correct) == 1


def estimate_tokens(text: str) -> int:
    """About as many tokens as TEXT has, where no tokenizer is at hand: one for four letters, or for a Chinese one.

    Example:
        >>> estimate_tokens("Who is the painter?"), estimate_tokens("谁是画家")
        (5, 4)
    """
    wide = sum(ord(letter) >= WIDE for letter in text)
    return wide + -(-(len(text) - wide) // LETTERS_A_TOKEN)
