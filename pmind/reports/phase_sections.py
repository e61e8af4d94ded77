"""The report's section about phases."""

from pmind.reports import phase_tables
from pmind.reports.phase_figures import kernel_figure, prediction_figure
from pmind.reports.phases import Phases
from pmind.reports.sections import Section

TEXTS = (
    "What the rotary embedding alone lets a head tell apart. The kernel of two places is the mean cosine, over the "
    "frequency pairs, of the angle between them: 1 means that they look the same to a head of one content.",
    "Crowding is a prediction without a measured number in it: a head seeks a token of its own branch, and the log of "
    "the number of places that look like it, beyond those that plain RoPE with one branch leaves, is split into what "
    "columns of its own branch add (time resolution lost to branch pairs) and what siblings add. The sharpness of the "
    "head is that at which plain RoPE puts half of its attention on the token. It foretells an order of settings, not "
    "the size of a tax.",
)


def phase_section(phases: Phases | None) -> list[Section]:
    """The section, or nothing where the analysis has not run."""
    if phases is None:
        return []
    sweeps = phases.sweeps()
    tables = [table for sweep in sweeps for table in _sweep_tables(phases, sweep)]
    drawn = (kernel_figure(phases), *(prediction_figure(phases, sweep) for sweep in sweeps))
    found = (*tables, phase_tables.by_branches(phases), phase_tables.wider(phases))
    return [Section("Phases of the rotary embedding", TEXTS, found, tuple(filter(None, drawn)))]


def _sweep_tables(phases: Phases, sweep: str) -> tuple[phase_tables.Table, ...]:
    return phase_tables.correlations(phases, sweep), phase_tables.measured(phases, sweep)
