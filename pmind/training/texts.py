"""What pretraining reads at a step: so many texts, put together into samples as branches.

Which texts a step reads, and in which order, depends on the seed and the step alone. How many
branches a sample has only says which of them stand side by side, so that runs with one branch
and with fifteen are trained on the same texts in the same steps::

    texts of the step    a b c d e f
    1 branch             a | b | c | d | e | f
    2 to 4 branches      a b c d | e f

Only a context that branches share decides what they say, see :class:`TextSteps`.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pmind.errors import ParamsError
from pmind.params import PretrainParams
from pmind.training.batches import Sample
from pmind.training.epochs import Epochs, packed, shuffled
from pmind.training.passages import Encode, Passage, Passages, Text, joined


@dataclass(frozen=True)
class TextSteps:
    """Samples of each step.

    A share of the samples has a context: ``replays`` tell its sentences in other orders beside it,
    ``continuations`` are the passages that follow it in its document, as many as there are up to
    the sample's number of branches. Every passage is such a context once an epoch; one too near
    its document's end gives way to an earlier one. The texts that this leaves (all of them, where
    documents have a single passage) are read without a context, so that every step has its number
    of texts.

    With ``packing: join`` a branch without a context holds as many texts as fit, one after the other.
    A stop token ends each: between two texts it is fed, too, and what follows it is learnt; after
    the last it is predicted but never fed, as everywhere. It begins no new branch: a text sees
    those before it.

    Attributes:
        passages: to read.
        encode: texts to ids, for replays.
        stop_id: the stop token.
        config: branches, packing and contexts.
        seed: of the run.
    """

    passages: Passages
    encode: Encode
    stop_id: int
    config: PretrainParams
    seed: int

    def __post_init__(self) -> None:
        """Refuse packing that would do nothing.

        Raises:
            ParamsError: names both keys.
        """
        if self.config.packing == "join" and self.config.shared_context_share == 1:
            raise ParamsError(
                "packing: join fills branches without a context, but with shared_context_share 1 every sample has "
                "one. Lower shared_context_share, or set packing: none"
            )

    def __call__(self, rng: random.Random, step: int) -> list[Sample]:
        """All samples of a step; RNG decides all but the texts without a context and their order."""
        config = self.config
        counts = branch_counts(config.batch_size, config.min_branches, config.max_branches, rng)
        first = step * config.batch_size
        samples, loose = [], []
        for number, count in enumerate(counts, start=step * len(counts)):
            shared = rng.random() < config.shared_context_share
            context, texts = self._shared(self._contexts[number][0], count, rng) if shared else ((), [])
            if texts:
                samples.append(self._sample(context, texts, rng))
            loose += range(first + len(texts), first + count)
            first += count
        places = iter(loose)
        for count in branch_counts(len(loose), config.min_branches, config.max_branches, rng):
            samples.append(self._sample((), [self._text(next(places)) for _ in range(count)], rng))
        return samples

    @cached_property
    def _texts(self) -> Epochs:
        seed = f"texts/{self.seed}"
        if self.config.packing == "none":
            return shuffled(len(self.passages), seed)
        lengths = [self.passages.length(number) for number in range(len(self.passages))]
        return packed(lengths, self.config.max_branch_tokens, seed)

    @cached_property
    def _contexts(self) -> Epochs:
        return shuffled(len(self.passages), f"contexts/{self.seed}")

    def _text(self, position: int) -> Text:
        texts = [self.passages.text(number) for number in self._texts[position]]
        ids = [token for text in texts for token in (*text.ids, self.stop_id)]
        return Text(ids[:-1], texts[-1].complete)

    def _shared(self, number: int, count: int, rng: random.Random) -> tuple[Sequence[int], list[Text]]:
        if self.config.shared_context == "replays":
            texts = replays(self.passages.sentences[number], count, self.encode, self.config.max_branch_tokens, rng)
            return self.passages.text(number).ids, texts
        document = self.passages.document_of(number)
        context = max(document.start, min(number, document.stop - 1 - count))
        return continuations(self.passages, context, count)

    def _sample(self, context: Sequence[int], texts: Sequence[Text], rng: random.Random) -> Sample:
        most = self.config.max_column_offset
        return text_sample(context, texts, [rng.randint(0, most) for _ in texts] if most else None)


def replays(passage: Passage, count: int, encode: Encode, max_tokens: int, rng: random.Random) -> list[Text]:
    """Tell a passage's sentences COUNT times, each time in another order; longer texts are cut."""
    orders = [tuple(rng.sample(passage, len(passage))) for _ in range(count)]
    return [Text(ids[:max_tokens], len(ids) <= max_tokens) for ids in encode(list(map(joined, orders)))]


def continuations(passages: Passages, context: int, count: int) -> tuple[Sequence[int], list[Text]]:
    """Ids of passage CONTEXT, and at most COUNT passages that follow it in its document."""
    stop = min(passages.document_of(context).stop, context + 1 + count)
    return passages.text(context).ids, [passages.text(number) for number in range(context + 1, stop)]


def text_sample(context: Sequence[int], texts: Sequence[Text], offsets: Sequence[int] | None = None) -> Sample:
    """A sample whose branches are whole texts, without prompts."""
    return Sample(
        context=context,
        prompts=[()] * len(texts),
        answers=[text.ids for text in texts],
        complete=[text.complete for text in texts],
        column_offsets=offsets,
    )


def branch_counts(texts: int, least: int, most: int, rng: random.Random) -> list[int]:
    """Share TEXTS out among samples of LEAST … MOST branches.

    The number of samples is the same whatever RNG; where no number of samples makes it come out
    even, the last one has fewer than LEAST and the others MOST.

    Example:
        >>> sum(branch_counts(36, 1, 8, random.Random(1)))
        36
        >>> branch_counts(36, 8, 8, random.Random(1))
        [8, 8, 8, 8, 4]
    """
    count = sample_count(texts, least, most)
    if texts < count * least:
        return [most] * (count - 1) + [texts - most * (count - 1)]
    counts = [rng.randint(least, most) for _ in range(count)]
    while sum(counts) != texts:
        drawn, change = rng.randrange(count), 1 if sum(counts) < texts else -1
        counts[drawn] = min(most, max(least, counts[drawn] + change))
    return counts


def sample_count(texts: int, least: int, most: int) -> int:
    """Samples that TEXTS texts make: as near as can be to what the mean number of branches gives.

    Example:
        >>> sample_count(36, 1, 8), sample_count(36, 16, 16), sample_count(3, 4, 8)
        (8, 3, 1)
    """
    fewest = -(-texts // most)
    return max(fewest, min(round(2 * texts / (least + most)), texts // least))
