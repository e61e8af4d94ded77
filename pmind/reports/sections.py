"""What a report is made of: figures, and sections that hold them."""

from dataclasses import dataclass

from pmind.reports.tables import Table


@dataclass(frozen=True)
class Figure:
    """An SVG drawing; NAME is its file's name without ``.svg``."""

    name: str
    caption: str
    svg: str


@dataclass(frozen=True)
class Section:
    """A heading with texts, tables and figures in this order; backticks mark code."""

    title: str
    texts: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
