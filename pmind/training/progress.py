"""How far a training run has come, and what its metrics say."""

from dataclasses import dataclass, field

FINAL_SHARE = 0.1  # of the steps, whose mean is the final loss


@dataclass
class Progress:
    """A record of every step done.

    Attributes:
        losses: mean loss in nats a label token.
        label_tokens: tokens that the loss is over.
        seconds: wall-clock time, data included.
        tokens: tokens of the flat sequences, padding not included.
        gradient_norms: before clipping.
    """

    losses: list[float] = field(default_factory=list)
    label_tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.losses)

    @property
    def final_loss(self) -> float:
        """Mean loss of the last tenth of the steps."""
        last = self.losses[-max(1, round(FINAL_SHARE * len(self.losses))) :]
        return sum(last) / len(last)

    @property
    def tokens_per_second(self) -> float:
        """Tokens a second over all steps."""
        return sum(self.tokens) / max(sum(self.seconds), 1e-9)

    def add(self, loss: float, gradient_norm: float, label_tokens: int, tokens: int, seconds: float) -> None:
        """Record a step."""
        self.losses.append(loss)
        self.gradient_norms.append(gradient_norm)
        self.label_tokens.append(label_tokens)
        self.tokens.append(tokens)
        self.seconds.append(seconds)

    def metrics(self, prefix: str, loss: str = "loss") -> dict[str, float]:
        """What belongs in a metrics file: no times, so that equal runs write equal files.

        Args:
            prefix: of every name.
            loss: what to call the loss that was trained on.
        """
        return {
            f"{prefix}.{loss}": self.final_loss,
            f"{prefix}.steps": self.step,
            f"{prefix}.label_tokens": sum(self.label_tokens),
        }

    def speed(self) -> str:
        """A line for the terminal."""
        return f"{self.step} steps in {sum(self.seconds):.0f} s, {self.tokens_per_second:.0f} tokens/s"
