import json
import random
from collections import Counter
from pathlib import Path

import pytest
import yaml

from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import PmindError
from pmind.methods.rounds import Prompt
from pmind.models.settings import STOCK
from pmind.tasks.prompts import Exchange, PromptTemplate
from pmind.tasks.records import Question, QuestionGroup, write_groups
from pmind.training.history import History
from pmind.training.passages import encoder
from pmind.training.questions import QuestionSteps, group_samples, most_columns
from stages import finetune
from tests.conftest import THREADS
from tests.tiny import stock_model
from tests.unit.tasks.test_chat import TOKENIZERS

PARAMS = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8"))
TEMPLATE = PromptTemplate(context="{context}", prompt="Q: {question}", answer=" A {answer}")
QUESTIONS = (
    Question("home", "home of 2?", ("Relsa", "Rels"), needs=("who",)),
    Question("who", "painter?", ("Orin",)),
    Question("ware", "ware of 1?", ("Dornit",), needs=("home",)),
    Question("mayor", "mayor?", ("Ida",)),
)
GROUPS = [QuestionGroup("g", "d", "facts", QUESTIONS), QuestionGroup("h", "e", "others", QUESTIONS[1:2])]


def encode(texts):
    """Characters as tokens, so that a prompt can be read."""
    return [list(text) for text in texts]


SAMPLES = group_samples(GROUPS, TEMPLATE, encode)


def history(share=1.0):
    return History(GROUPS, TEMPLATE, encode, share)


def later(chosen, seed, number=0):
    """A later round of a group, as texts: prompt and answer of each branch."""
    sample = history().later_round(number, SAMPLES[number], chosen, random.Random(seed))
    assert sample.complete == [True] * len(sample.prompts)
    return [("".join(p), "".join(a)) for p, a in zip(sample.prompts, sample.answers, strict=True)]


def exchange(place):
    question = QUESTIONS[place]
    return Exchange(place + 1, TEMPLATE.render_prompt(question), TEMPLATE.render_answer(question))


def prompt(place, *earlier):
    """What decoding would have the model read."""
    return Prompt(TEMPLATE.render_prompt(QUESTIONS[place]), tuple(map(exchange, earlier))).flat


def test_a_dependent_question_reads_what_it_needs_as_in_decoding():
    found = {later([0], seed)[0] for seed in range(40)}
    assert (prompt(0, 1), " A Relsa") in found
    assert prompt(0, 1) == "2. Q: painter? A Orin\nQ: home of 2?"
    assert all(prompt(1) + " A Orin\n" in text for text, _ in found)


def test_others_are_at_hand_now_and_then_in_the_order_of_their_numbers():
    texts = Counter(later([0], seed)[0][0] for seed in range(400))
    assert set(texts) == {prompt(0, 1), prompt(0, 1, 2), prompt(0, 1, 3), prompt(0, 1, 2, 3)}
    assert 200 < texts[prompt(0, 1)] < 330
    alone = Counter(later([3], seed)[0][0] for seed in range(400))
    assert 200 < alone[prompt(3)] < 330
    assert {prompt(3, 0), prompt(3, 0, 1, 2)} < set(alone)


def test_what_is_at_hand_of_one_is_never_asked_of_another():
    for seed in range(200):
        rng = random.Random(seed)
        chosen = rng.sample(range(4), rng.randint(1, 4))
        branches = later(chosen, seed)
        assert branches
        asked = [text.split("\n")[-1] for text, _ in branches]
        for text, _ in branches:
            at_hand = [line[3:].split(" A ")[0] for line in text.split("\n")[:-1]]
            assert not set(at_hand) & set(asked)


def test_a_question_that_another_one_needs_is_at_hand_instead_of_asked():
    assert [answer for _, answer in later([1, 0, 3], 1)] == [" A Relsa", " A Ida"]
    assert [answer for _, answer in later([0, 1, 2], 1)] == [" A Dornit"]
    assert later([0], 1, number=1) == [("Q: painter?", " A Orin")]


def test_what_regrouping_took_away_is_not_at_hand():
    apart = [QuestionGroup("g", "d", "facts", QUESTIONS[:1])]
    made = History(apart, TEMPLATE, encode, 1.0)
    sample = made.later_round(0, group_samples(apart, TEMPLATE, encode)[0], [0], random.Random(1))
    assert "".join(sample.prompts[0]) == prompt(0)


@pytest.mark.parametrize("none", [None, history(0.0)])
def test_without_a_share_every_sample_is_what_it_was(none):
    for step in range(20):
        rng, plain = random.Random(step), random.Random(step)
        assert QuestionSteps(SAMPLES, 2, 3, 1, none)(rng, step) == QuestionSteps(SAMPLES, 2, 3, 1)(plain, step)
        assert rng.getstate() == plain.getstate()
    assert history(0.0).longest(SAMPLES) == SAMPLES


def test_a_share_of_the_samples_is_of_a_later_round():
    steps = QuestionSteps(SAMPLES[:1], 1, 1, 1, History(GROUPS[:1], TEMPLATE, encode, 0.5))
    samples = [steps(random.Random(step), step)[0] for step in range(400)]
    dependent = [sample for sample in samples if "".join(sample.answers[0]) in (" A Relsa", " A Dornit")]
    with_history = sum("\n" in sample.prompts[0] for sample in dependent)
    assert 0.4 < with_history / len(dependent) < 0.6


def test_the_longest_prompt_has_all_others_at_hand():
    longest = history().longest(SAMPLES)
    assert "".join(longest[0].prompts[2]) == prompt(2, 0, 1, 3)
    most = most_columns(longest)
    for seed in range(100):
        assert most_columns([history().later_round(0, SAMPLES[0], [2], random.Random(seed))]) <= most


def test_training_reads_the_tokens_that_decoding_reads():
    tokenizer = TOKENIZERS["qwen"]
    decoder = ParallelDecoder(stock_model("llama", vocab_size=len(tokenizer)), tokenizer, STOCK)
    made = History(GROUPS, TEMPLATE, encoder(tokenizer), 1.0)
    sample = made.later_round(0, group_samples(GROUPS, TEMPLATE, encoder(tokenizer))[0], [0], random.Random(1))
    texts = [prompt(0, *earlier) for earlier in ([1], [1, 2], [1, 3], [1, 2, 3])]
    assert sample.prompts[0] in [list(decoder.encode(text)) for text in texts]


def finetune_in(folder, positions):
    """Fine-tune a random model on later rounds alone, for two steps."""
    stock_model("llama", vocab_size=len(TOKENIZERS["qwen"]), max_position_embeddings=positions).save_pretrained(
        folder / "model"
    )
    TOKENIZERS["qwen"].save_pretrained(folder / "model")
    write_groups(folder / "groups" / "train.jsonl", GROUPS)
    small = {"steps": 2, "batch_size": 2, "history_share": 1.0}
    values = PARAMS | {"threads": THREADS, "finetune": PARAMS["finetune"] | small}
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    finetune.main(
        "squad", folder / "model", folder / "groups", folder / "out", folder / "metrics.json",
        params=folder / "params.yaml", checkpoints=folder / "checkpoints", curves=folder / "logs",
    )  # fmt: skip
    return json.loads((folder / "metrics.json").read_text())


def test_the_stage_trains_on_later_rounds(tmp_path):
    assert finetune_in(tmp_path, 512)["squad.finetune.steps"] == 2


def test_the_model_must_have_room_for_what_can_be_at_hand(tmp_path):
    samples = group_samples(GROUPS, PromptTemplate(), encoder(TOKENIZERS["qwen"]))
    with pytest.raises(PmindError, match="the longest group of"):
        finetune_in(tmp_path, most_columns(samples) + 10)
