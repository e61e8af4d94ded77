"""Answers of known quality to the questions of many documents, many times over."""

import numpy as np

from pmind.evaluation.intervals import Clusters

RUNS = 4000
SIZES = ("mixed", "large", "unequal")


def right_answers(rng, sizes, documents, mean, correlation, runs=RUNS):
    """Beta-binomial numbers of right answers: CORRELATION is that of two answers in one document."""
    counts = document_sizes(rng, sizes, (runs, documents))
    totals = rng.binomial(counts, skills(rng, mean, correlation, counts.shape))
    return Clusters(totals, totals, counts)


def differences(rng, sizes, documents, first, second, correlation, runs=RUNS):
    """Sums of score differences of two methods, each with its own strengths in each document."""
    counts = document_sizes(rng, sizes, (runs, documents))
    ours, theirs = (skills(rng, mean, correlation, counts.shape) for mean in (first, second))
    won = rng.binomial(counts, ours * (1 - theirs))
    lost = rng.binomial(counts - won, theirs * (1 - ours) / (1 - ours * (1 - theirs)))
    return Clusters(won - lost, won + lost, counts)


def skills(rng, mean, correlation, shape):
    """Chance of a right answer in each document."""
    if correlation == 0:
        return np.full(shape, mean)
    strength = (1 - correlation) / correlation
    return rng.beta(mean * strength, (1 - mean) * strength, size=shape)


def document_sizes(rng, sizes, shape):
    """Questions of each document: 3 to 10, about as in SQuAD's development set, or very unequal."""
    if sizes == "mixed":
        return rng.integers(3, 11, size=shape)
    location, scale, least = {"large": (5.2, 0.5, 50), "unequal": (1.5, 1.0, 1)}[sizes]
    return np.maximum(np.exp(rng.normal(location, scale, size=shape)).astype(int), least)
