"""The table of a comparison, as printed."""

from pmind.evaluation.contest import print_contest


def row(method, em, **more):
    row = {"dataset": "squad", "method": method, "questions": 4, "groups": 2, "documents": 2, "seconds": 3.0}
    row |= {"prompt_tokens": 40, "tokens": 8, "rounds": 1, "no_room": 0, "missing": 0}
    kinds = {kind: {"em": em, "em_low": 0.0, "em_high": 1.0} for kind in ("easy", "hard")}
    return row | {"em": em, "em_low": 0.0, "em_high": 1.0, "categories": kinds} | more


CONTENT = {
    "rows": [row("sequential", 0.5), row("all_in_one", 0.25, missing=2)],
    "groups": {"squad": {"groups": 2, "truncated_contexts": 3, "dropped_long_contexts": 0}},
    "conditions": {"model": "tiny", "url": ""},
}


def test_a_method_has_scores_costs_and_kinds_of_questions(capsys):
    print_contest(CONTENT)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "squad: 4 questions in 2 groups of 2 documents"
    assert [line.split() for line in lines if "all_in_one" in line] == [
        ["all_in_one", "25.0", "1.5", "20", "4", "1"],
        ["all_in_one", "25.0", "25.0"],
        ["answers", "left", "out", "of", "a", "reply:", "all_in_one", "2"],
    ]
    assert "truncated contexts: 3" in lines
    assert not [line for line in lines if "long contexts" in line or "cache" in line]


def test_seconds_of_cached_replies_are_told_to_be_none(capsys):
    print_contest(CONTENT | {"conditions": {"cached_replies": 30}})
    assert "30 replies came from the cache and took no time" in capsys.readouterr().out
