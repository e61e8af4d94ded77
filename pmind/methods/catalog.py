"""Methods by name."""

from functools import partial

from pmind.errors import DecodingError, ParamsError
from pmind.methods import batch, parallel, sequential, sequential_cached
from pmind.methods.all_in_one import all_in_one
from pmind.methods.at_once import at_once
from pmind.methods.collaborative import Collaboration, Propose, by_attention, by_model, by_words, collaborate
from pmind.methods.method import Method
from pmind.methods.multi_turn import multi_turn
from pmind.methods.one_at_a_time import one_at_a_time

PLAIN: dict[str, Method] = {
    "parallel": Method(at_once, parallel),
    "sequential": Method(at_once, sequential, one_at_a_time),
    "sequential_cached": Method(at_once, sequential_cached),
    "batch": Method(at_once, batch, at_once),
    "multi_turn": Method(multi_turn, sequential_cached, multi_turn, needs_answers=True),
    "all_in_one": Method(all_in_one, sequential, all_in_one),
}
TRAINED: dict[str, Method] = {  # by a model of their own, see pmind.training.learnt
    "finetuned": Method(at_once, batch),
    "lora_lmhead": Method(at_once, batch),
    "collab_hidden": Method(at_once, parallel),
    "lora_crossbatch": Method(at_once, parallel),
}
COLLABORATIVE = ("collab_llm", "collab_bert", "collab_heuristic")
METHODS = (*PLAIN, *COLLABORATIVE, *TRAINED)
REMOTE = (*(name for name, method in PLAIN.items() if method.remote), *COLLABORATIVE)  # that a server can answer


def find_method(name: str, collaboration: Collaboration | None = None) -> Method:
    """The method of that name.

    Args:
        name: one of :data:`METHODS`.
        collaboration: how dependencies are found and chosen; the defaults where left out.

    Raises:
        DecodingError: no such method; names all there are.
        ParamsError: ``collab_bert`` without an encoder.
    """
    check_known(name)
    if name not in COLLABORATIVE:
        return (PLAIN | TRAINED)[name]
    collaboration = collaboration or Collaboration()
    rounds = collaborate(_propose(name, collaboration), collaboration.rules)
    return Method(rounds, parallel, rounds, needs_answers=True)


def together(name: str) -> bool:
    """Whether a local model answers several questions at a time.

    Raises:
        DecodingError: no such method; names all there are.
    """
    check_known(name)
    return name in COLLABORATIVE or (PLAIN | TRAINED)[name].passes.TOGETHER


def check_known(name: str) -> None:
    """Refuse a method that does not exist.

    Raises:
        DecodingError: names all there are.
    """
    if name not in METHODS:
        raise DecodingError(f"unknown method {name!r}; use {', '.join(METHODS)}")


def _propose(name: str, collaboration: Collaboration) -> Propose:
    if name == "collab_heuristic":
        return by_words
    if name == "collab_llm":
        return by_model
    if collaboration.encoder is None:
        raise ParamsError("collab_bert reads the questions with an encoder; name its folder or Hub id")
    return partial(
        by_attention,
        encoder=collaboration.encoder,
        threshold=collaboration.threshold,
        summary=collaboration.summary,
    )
