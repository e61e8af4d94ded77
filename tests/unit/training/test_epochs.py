from collections import Counter

import pytest

from pmind.training.epochs import packed, shuffled

LENGTHS = [5, 3, 9, 1, 1, 4, 20, 2]


def epoch_of(epochs, items):
    """What the first epoch holds, where it has that many items."""
    return [epochs[position] for position in range(items)]


def test_every_epoch_holds_everything_once_in_an_order_of_its_own():
    epochs = shuffled(50, "seed")
    first, second = ([epochs[position] for position in range(start, start + 50)] for start in (0, 50))
    assert sorted(first) == sorted(second) == [(number,) for number in range(50)]
    assert first != second


def test_a_position_needs_nothing_before_it():
    """What a resumed run reads, which begins in a later epoch."""
    read = shuffled(7, "seed")
    assert [read[position] for position in range(30)][20:] == [shuffled(7, "seed")[place] for place in range(20, 30)]


def test_the_seed_decides_the_order():
    assert epoch_of(shuffled(50, "a"), 50) == epoch_of(shuffled(50, "a"), 50) != epoch_of(shuffled(50, "b"), 50)


def packs_of(epochs, count):
    """Packs of the first COUNT epochs, each a list."""
    packs, position = [], 0
    for _ in range(count):
        seen: Counter[int] = Counter()
        packs.append([])
        while len(seen) < len(LENGTHS):
            packs[-1].append(epochs[position])
            seen.update(epochs[position])
            position += 1
        assert set(seen.values()) == {1}
    return packs


def test_packs_fit_are_filled_and_lose_nobody():
    room = 10
    for packs in packs_of(packed(LENGTHS, room, "seed"), 5):
        used = [sum(LENGTHS[number] + 1 for number in pack) - 1 for pack in packs]
        assert all(tokens <= room or len(pack) == 1 for tokens, pack in zip(used, packs, strict=True))
        for tokens, following in zip(used, packs[1:], strict=False):
            assert tokens + 1 + LENGTHS[following[0]] > room, "the next text would have fitted"
        assert max(map(len, packs)) > 1


def test_packs_have_new_neighbours_in_every_epoch():
    first, second = packs_of(packed(LENGTHS, 10, "seed"), 2)
    assert {frozenset(pack) for pack in first} != {frozenset(pack) for pack in second}


@pytest.mark.parametrize("position", [3, 11, 40])
def test_packs_need_nothing_before_them(position):
    read = packed(LENGTHS, 10, "seed")
    for place in range(position):
        read[place]
    assert read[position] == packed(LENGTHS, 10, "seed")[position]
