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
