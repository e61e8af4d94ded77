"""Built-in pretraining text: passages of the built-in worlds, English and Chinese in turn."""

import random

from pmind.corpora.builtin_chained import chained_task
from pmind.corpora.builtin_hinted import hinted_task
from pmind.corpora.builtin_medical import medical_sentences, medical_subjects
from pmind.corpora.builtin_reading import reading_sentences, reading_subjects
from pmind.corpora.facts import TWINS, Split

Document = tuple[str, ...]


def text_documents(split: Split, count: int, seed: int) -> list[Document]:
    """Write COUNT passages, each a tuple of sentences that read well in any order."""
    towns = reading_subjects(split, -(-count // (2 * TWINS)), f"text/{seed}")
    patients = medical_subjects(split, len(towns), f"text/{seed}")
    rng = random.Random(f"text/{split}/{seed}")
    documents: list[Document] = []
    for town, patient in zip(towns, patients, strict=True):
        for twin in range(TWINS):
            english = [sentence for sentence, _ in reading_sentences(town, twin, rng)]
            documents.append(tuple(rng.sample(english, len(english))))
            documents.append(tuple(medical_sentences(patient, twin, rng)))
    return documents[:count]


def linked_documents(split: Split, count: int, seed: int) -> list[Document]:
    """COUNT passages, those of :func:`text_documents`, of the chained task and of the hinted one in turn.

    A tiny model learns to look up in fine-tuning what it met in pretraining; these tasks have sentences
    of their own.
    """
    each = -(-count // 3)
    tasks = (make(split, each, f"text/{seed}") for make in (chained_task, hinted_task))
    linked = [[_sentences(p["context"]) for entry in task["data"] for p in entry["paragraphs"]] for task in tasks]
    rows = zip(text_documents(split, each, seed), *linked, strict=False)  # whole towns may be one passage more
    return [document for row in rows for document in row][:count]


def _sentences(passage: str) -> Document:
    return tuple(f"{sentence}. " for sentence in passage.removesuffix(".").split(". "))
