"""Heads that read alike: k-means on their shares by role."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_CLUSTERS = 6


@dataclass(frozen=True)
class Cluster:
    """Heads of one kind.

    Attributes:
        name: the role on which its heads, on average, spend most; a second one of that name is "… 2".
        members: indices of its heads.
        shares: ``[R]`` mean share by role.
    """

    name: str
    members: tuple[int, ...]
    shares: tuple[float, ...]


def cluster_heads(shares: np.ndarray, roles: Sequence[str], seed: int) -> list[Cluster]:
    """Group heads by what they read.

    As many clusters as give the best mean silhouette (Rousseeuw, 1987), from 2 to :data:`MOST_CLUSTERS`;
    one where heads are fewer than three or all alike.

    Args:
        shares: ``[N, R]`` of N heads.
        roles: names of the R roles.
        seed: of k-means.

    Returns:
        The largest cluster first.

    Example:
        >>> [cluster.name for cluster in cluster_heads(np.array([[1, 0], [0.9, 0.1], [0, 1], [0, 0.9]]), "ab", 0)]
        ['a', 'b']
    """
    labels = _best_labels(shares, seed)
    sizes = Counter(labels.tolist()).most_common()
    used: Counter[str] = Counter()
    clusters = []
    for label, _ in sizes:
        members = np.flatnonzero(labels == label)
        mean = shares[members].mean(0)
        role = roles[int(mean.argmax())]
        used[role] += 1
        name = role if used[role] == 1 else f"{role} {used[role]}"
        clusters.append(Cluster(name, tuple(members.tolist()), tuple(mean.tolist())))
    return clusters


def _best_labels(shares: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    found = {}
    different = len(np.unique(shares.round(9), axis=0))
    for count in range(2, min(MOST_CLUSTERS, different, len(shares) - 1) + 1):
        labels = KMeans(count, n_init=10, random_state=seed).fit_predict(shares)
        found[count] = (silhouette_score(shares, labels), -count, labels)
    if not found:
        return np.zeros(len(shares), dtype=int)
    return max(found.values(), key=lambda entry: entry[:2])[2]
