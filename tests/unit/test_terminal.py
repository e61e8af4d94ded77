import io

from rich.console import Console

from pmind.terminal import AnswerBoard


def test_the_board_shows_questions_and_answers_side_by_side():
    console = Console(width=80, record=True, force_terminal=True, file=io.StringIO())
    board = AnswerBoard(console, ["Who?", "Where?"])
    with board.streaming():
        board.show(0, "Orin", done=True)
    shown = console.export_text()
    assert any("Who?" in line and "Where?" in line for line in shown.splitlines())
    assert "Orin" in shown


def test_a_note_stands_in_the_frame_of_its_answer():
    console = Console(width=80, record=True, force_terminal=True, file=io.StringIO())
    board = AnswerBoard(console, ["Who?", "Where?"])
    with board.streaming():
        board.show(1, "Relsa", done=True, note="round 2, told 1")
    (line,) = [line for line in console.export_text().splitlines() if "told" in line]
    assert line.strip().startswith("╰") and "─ round 2, told 1 ─" in line
