"""Numbers as a reader wants them: shares in percent, times and sizes in a fitting unit."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

Number: TypeAlias = float | int | None
Value: TypeAlias = float | int | str | bool

MISSING = "—"  # a number that some command has yet to write
NATS_DECIMALS = 4
MINUS = "−"
PERCENT = "\N{NO-BREAK SPACE}%"  # stays on the line of its number


def percent(value: Number, low: Number = None, high: Number = None, unit: str = PERCENT) -> str:
    """A share in percent with its interval.

    Example:
        >>> print(percent(0.9742, 0.96, 0.98512).replace(PERCENT, "%"))
        97.4% (96.0–98.5)
    """
    if value is None:
        return MISSING
    text = f"{100 * value:.1f}{unit}"
    return text if low is None or high is None else f"{text} ({100 * low:.1f}–{100 * high:.1f})"


def share(value: Number, low: Number = None, high: Number = None) -> str:
    """The same for a column whose header says percent."""
    return percent(value, low, high, unit="")


def points(value: Number, low: Number = None, high: Number = None) -> str:
    """A difference of shares in percentage points with its interval.

    Example:
        >>> points(-0.001, -0.004, 0.002)
        '−0.1 (−0.4…+0.2)'
    """
    if value is None:
        return MISSING
    text = signed(100 * value, 1)
    return text if low is None or high is None else f"{text} ({signed(100 * low, 1)}…{signed(100 * high, 1)})"


def signed(value: Number, decimals: int) -> str:
    """A number with its sign; what rounds to zero has none.

    Example:
        >>> signed(0.0004, 2), signed(-1.5, 1)
        ('0.00', '−1.5')
    """
    if value is None:
        return MISSING
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0:
        return text
    return (MINUS if value < 0 else "+") + text


def plus_minus(text: str, half: str | None) -> str:
    """A number with half of its interval, both written out.

    Example:
        >>> plus_minus("1.25", "0.03"), plus_minus("1.25", None)
        ('1.25 ± 0.03', '1.25')
    """
    return text if half is None else f"{text} ± {half}"


def or_empty(write: Callable[[float], str], value: Number) -> str:
    """What WRITE makes of a number, empty where it does not apply."""
    return "" if value is None else write(value)


def p_value(value: Number) -> str:
    """A p-value with three places.

    Example:
        >>> p_value(0.0312), p_value(0.0002)
        ('p 0.031', 'p < 0.001')
    """
    if value is None:
        return MISSING
    return f"p {value:.3f}" if value >= 0.001 else "p < 0.001"


def fixed(value: Number, decimals: int) -> str:
    """A number with DECIMALS places."""
    return MISSING if value is None else f"{value:,.{decimals}f}".replace("-", MINUS)


def nats(value: Number) -> str:
    """A loss in nats per token."""
    return fixed(value, NATS_DECIMALS)


def signed_nats(value: Number) -> str:
    """A difference of losses in nats per token."""
    return signed(value, NATS_DECIMALS)


def rate(value: Number) -> str:
    """A number with three significant digits.

    Example:
        >>> rate(1234.5), rate(12.345), rate(0.012345)
        ('1,234', '12.3', '0.0123')
    """
    if value is None:
        return MISSING
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.2e}"


def seconds(value: Number) -> str:
    """A time in s, or ms below one second.

    Example:
        >>> seconds(2.5), seconds(0.0321)
        ('2.50 s', '32.1 ms')
    """
    if value is None:
        return MISSING
    return f"{rate(value)} s" if value >= 1 else f"{rate(1000 * value)} ms"


def size(value: Number) -> str:
    """Bytes in a fitting binary unit.

    Example:
        >>> size(512), size(3 * 2**20)
        ('512 B', '3.00 MiB')
    """
    if value is None:
        return MISSING
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{rate(value)} {unit}"
        value /= 1024
    return f"{rate(value)} GiB"


def setting(value: Value) -> str:
    """Any value of a metrics file, as it was set.

    Example:
        >>> setting(550912), setting(0.25), setting(True)
        ('550,912', '0.25', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def listed(conditions: Mapping[str, Value]) -> str:
    """Conditions one after the other, to begin a sentence.

    Example:
        >>> listed({"model": "tiny", "label_tokens": 550912})
        'Model tiny, label tokens 550,912'
    """
    said = ", ".join(f"{key.replace('_', ' ')} {setting(value)}" for key, value in conditions.items())
    return f"{said[:1].upper()}{said[1:]}" if said else "Conditions not recorded"
