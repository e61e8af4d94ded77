"""Answers side by side in a terminal while they are decoded, or one below the other in a pipe."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.columns import Columns
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

MIN_WIDTH, MAX_ACROSS = 28, 4


class AnswerBoard:
    """One panel a question; :meth:`show` replaces what it says so far."""

    def __init__(self, console: Console, questions: Sequence[str]) -> None:
        self._console = console
        self._questions = questions
        self._texts = [""] * len(questions)
        self._notes = [""] * len(questions)
        self._done = [False] * len(questions)
        self._live: Live | None = None

    def show(self, question: int, text: str, done: bool, note: str = "") -> None:
        """Say TEXT under a question, and NOTE in its frame; DONE marks it as finished."""
        self._texts[question], self._done[question], self._notes[question] = text, done, note
        if self._live:
            self._live.update(self._panels())

    @contextmanager
    def streaming(self) -> Iterator["AnswerBoard"]:
        """Redraw the panels in place while the block runs; only on a terminal."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(self._panels(), console=self._console, refresh_per_second=12) as self._live:
            yield self
        self._live = None

    def print_plain(self) -> None:
        """Print every question with its answer, for files and pipes."""
        for question, text in zip(self._questions, self._texts, strict=True):
            print(f"Q: {question}\nA: {text.strip()}\n")

    def _panels(self) -> Columns:
        across = max(1, min(MAX_ACROSS, len(self._texts), self._console.width // MIN_WIDTH))
        width = self._console.width // across - 1
        return Columns([self._panel(question, width) for question in range(len(self._texts))], width=width)

    def _panel(self, question: int, width: int) -> Panel:
        said = Text(self._questions[question].strip(), style="bold") + Text(
            f"\n{self._texts[question].strip() or '…'}", style="not bold"
        )
        style = "green" if self._done[question] else "dim"
        return Panel(said, width=width, border_style=style, subtitle=Text(self._notes[question]) or None)
