"""What tests of the analysis share: question groups of the random models' words, and these models."""

import torch
from transformers import MistralConfig, PreTrainedModel

from pmind.decoding.decoder import ParallelDecoder
from pmind.models.settings import Settings
from pmind.tasks.records import Question, QuestionGroup
from tests.tiny import SHAPE, decoder_of, random_model, stock_model

OWN = Settings(visibility="isolated", alignment="own")
COLUMNAR = Settings(rope_2d_ratio=0.25, branch_stride=16, alignment="right", visibility="columnar")
KINDS = ("llama", "llama_gqa", "qwen2", "qwen3", "mistral")


def model_of(kind: str, **changes: object) -> PreTrainedModel:
    """A random model as transformers builds it; Mistral beside those of tests.tiny."""
    if kind == "mistral":
        return random_model(MistralConfig(**SHAPE | {"num_key_value_heads": 2, "sliding_window": None} | changes))
    return stock_model(kind, **changes)


def decoder(settings: Settings) -> ParallelDecoder:
    """A decoder around a random model; w1 ends an answer."""
    return decoder_of("llama_gqa", settings, stop_ids=(1,))


def question_groups(count: int = 4, questions: int = 4, seed: int = 0) -> list[QuestionGroup]:
    """Groups of random words, each of a document of its own; answers are of one or two words."""
    generator = torch.Generator().manual_seed(seed)

    def words(length: int) -> str:
        return " ".join(f"w{token}" for token in torch.randint(2, 61, (length,), generator=generator).tolist())

    return [
        QuestionGroup(
            f"g{number}",
            f"document {number}",
            words(9),
            tuple(
                Question(f"g{number}-{place}", words(3 + place % 2), (words(1 + place % 2),))
                for place in range(questions)
            ),
        )
        for number in range(count)
    ]
