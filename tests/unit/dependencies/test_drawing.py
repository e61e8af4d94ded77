"""The questions of a group, drawn."""

import re

import pytest

from pmind.dependencies.drawing import dependencies_text, draw_dependencies
from pmind.dependencies.edges import Dependencies, Edge
from pmind.dependencies.placing import place, route
from pmind.errors import DataError

QUESTIONS = ["Who wrote Faust?", "Where was that person born?", "How large is\nthat town?"]
CHAIN = Dependencies(3, (Edge(0, 1, 0.85, "that"), Edge(1, 2, 0.6, "town"), Edge(0, 2, 0.5, "Faust")))


def test_text_lists_rounds_and_what_every_question_needs():
    assert dependencies_text(QUESTIONS, CHAIN).splitlines() == [
        "round 1",
        "  1. Who wrote Faust?",
        "round 2",
        "  2. Where was that person born?",
        "     <- 1  0.85  that",
        "round 3",
        "  3. How large is that town?",
        "     <- 1  0.50  Faust",
        "     <- 2  0.60  town",
    ]


def test_an_edge_that_skips_a_round_has_a_lane_beside_its_boxes():
    heights = [1.0, 1.0, 1.0]
    spots = place(CHAIN, heights, gap=0.5)
    assert route(CHAIN.edges[1], spots) == [0, (1, 0, 2), 2]
    assert abs(spots[1, 0, 2].y - spots[1].y) > 0.5  # outside the box of question 2
    assert [spots[question].round for question in range(3)] == [0, 1, 2]


def test_boxes_of_a_round_do_not_overlap_and_stand_in_the_order_of_what_they_need():
    crossing = Dependencies(4, (Edge(0, 3, 0.9), Edge(1, 2, 0.9)))
    spots = place(crossing, [1.0, 2.0, 3.0, 1.0], gap=0.5)
    assert spots[0].y - spots[1].y == pytest.approx(0.5 + 0.5 + 1.0)
    assert spots[3].y - spots[2].y == pytest.approx(0.5 + 0.5 + 1.5)  # 3 above 2, as 0 is above 1


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_pictures_are_saved(tmp_path, ending):
    path = tmp_path / f"group.{ending}"
    draw_dependencies(QUESTIONS, CHAIN, path)
    assert path.read_bytes()[:4] in (b"\x89PNG", b"<?xm", b"%PDF")


def test_a_picture_says_questions_confidences_and_rounds(tmp_path):
    path = tmp_path / "group.svg"
    draw_dependencies(["Who <wrote> Faust?", "谁？", *QUESTIONS[2:]], CHAIN, path)
    said = re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))
    assert {"round 1", "round 2", "round 3", "0.85", "0.60", "0.50", "1. Who &lt;wrote&gt; Faust?", "2. 谁？"} <= set(
        said
    )


def test_long_questions_are_wrapped_and_cut(tmp_path):
    path = tmp_path / "long.svg"
    draw_dependencies(["word " * 100], Dependencies(1), path)
    lines = [line for line in re.findall(r">([^<>]*)<", path.read_text()) if "word" in line]
    assert len(lines) == 6
    assert max(map(len, lines)) <= 34
    assert lines[-1].endswith("…")


def test_characters_that_no_font_draws_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no font here draws 𐎀; .*save the picture as \.svg"):
        draw_dependencies(["Who is 𐎀?"], Dependencies(1), tmp_path / "group.png")
