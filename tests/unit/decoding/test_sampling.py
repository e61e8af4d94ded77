import pytest
import torch

from pmind.decoding.options import GenerationOptions
from pmind.decoding.sampling import branch_generator, choose_token

LOGITS = torch.tensor([2.0, 1.5, 1.0, 0.0, -1.0, -6.0])
DRAWS = 4000


def frequencies(history=(), **options):
    settings = GenerationOptions(do_sample=True, **options)
    stream = torch.Generator().manual_seed(0)
    drawn = torch.tensor([choose_token(LOGITS, history, settings, stream) for _ in range(DRAWS)])
    return torch.bincount(drawn, minlength=len(LOGITS)) / DRAWS


def softmax(logits):
    weights = [2.718281828 ** float(logit) for logit in logits]
    return torch.tensor([weight / sum(weights) for weight in weights])


def cut(distribution, kept):
    return torch.tensor([float(p) if token in kept else 0.0 for token, p in enumerate(distribution)]) / sum(
        float(distribution[token]) for token in kept
    )


def penalised(logits, history, penalty):
    return [
        (x / penalty if x > 0 else x * penalty) if token in history else x for token, x in enumerate(logits.tolist())
    ]


PLAIN = softmax(LOGITS)  # 0.450, 0.273, 0.166, 0.061, 0.022, 0.000
CASES = {
    "plain": ({}, (), PLAIN),
    "temperature": ({"temperature": 2.0}, (), softmax(LOGITS / 2)),
    "top_k": ({"top_k": 2}, (), cut(PLAIN, {0, 1})),
    "top_p": ({"top_p": 0.8}, (), cut(PLAIN, {0, 1, 2})),  # 0.46 + 0.28 < 0.8
    "top_k of everything": ({"top_k": 99}, (), PLAIN),
    "temperature before top_p": ({"temperature": 0.5, "top_p": 0.8}, (), cut(softmax(LOGITS / 0.5), {0, 1})),
    "repetition": ({"repetition_penalty": 2.0}, (0, 4), softmax(penalised(LOGITS, (0, 4), 2.0))),
}


@pytest.mark.parametrize("case", CASES)
def test_tokens_are_drawn_from_the_intended_distribution(case):
    options, history, expected = CASES[case]
    drawn = frequencies(history, **options)
    assert (drawn[expected == 0] == 0).all()
    deviation = (expected * (1 - expected) / DRAWS).sqrt()  # binomial
    assert ((drawn - expected).abs() <= 4 * deviation + 1e-9).all()


def test_greedy_takes_the_best_and_draws_nothing():
    stream = torch.Generator().manual_seed(0)
    before = stream.get_state()
    assert choose_token(LOGITS, (), GenerationOptions(), stream) == 0
    assert choose_token(LOGITS, (0,), GenerationOptions(repetition_penalty=2.0), stream) == 1
    assert stream.get_state().equal(before)


def test_the_logits_are_left_as_they_were():
    logits = LOGITS.clone()
    stream = torch.Generator().manual_seed(0)
    choose_token(logits, (0, 1), GenerationOptions(do_sample=True, repetition_penalty=3.0, top_k=2), stream)
    assert logits.equal(LOGITS)


def test_streams_are_those_of_seed_and_question():
    def draws(seed, prompt):
        return torch.rand(4, generator=branch_generator(seed, prompt)).tolist()

    assert draws(1, [2, 3]) == draws(1, (2, 3))
    assert len({tuple(draws(*key)) for key in [(1, (2, 3)), (2, (2, 3)), (1, (3, 2)), (1, (2,)), (12, (3,))]}) == 5


def test_a_stream_is_the_same_in_every_process():
    """A value that Python's own randomised hash() would not give."""
    assert branch_generator(0, [1, 2, 3]).initial_seed() == 3_703_386_328_635_677_598
