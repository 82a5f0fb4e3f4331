"""Reports of measurements as tables, for people and for programs."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Cell: TypeAlias = "str | int | float | bool | None"
"""A value, or None if it was not measured or does not apply."""

_NO_VALUE = "–"
_WIDTH = 100
"""Characters per line on a terminal."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    key: str
    """Key in each row, and in JSON: `median_seconds`."""
    title: str
    """Heading, with the displayed unit: `median ms`."""
    pattern: str = "{}"
    """Format of a value, for `str.format`."""
    factor: float = 1.0
    """Multiplies numbers for display: 1000 shows seconds as ms."""

    def show(self, value: Cell) -> str:
        """Return a value formatted for the table."""
        if value is None:
            return _NO_VALUE
        if isinstance(value, int | float) and self.factor != 1.0:
            value = value * self.factor
        return self.pattern.format(value)


@dataclass(frozen=True, slots=True)
class Section:
    """A table with notes."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Cell], ...]
    """The values in SI units, by column key."""
    notes: tuple[str, ...] = ()
    """Sentences below the table."""

    def cells(self) -> list[list[str]]:
        """Return the formatted table: the headings, then the rows."""
        columns = self.columns
        rows = [[column.show(row.get(column.key)) for column in columns] for row in self.rows]
        return [[column.title for column in columns], *rows]


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a measurement."""

    title: str
    facts: dict[str, str]
    """Conditions of the measurement, such as the machine, by name."""
    sections: tuple[Section, ...] = field(default=())

    def text(self, width: int = _WIDTH) -> str:
        """Return the report for a terminal.

        Args:
            width: Line width in characters. Notes are wrapped to it; tables may be wider.
        """
        facts = _aligned([[f"{name}:", text] for name, text in self.facts.items()], ())
        parts = ["\n".join([self.title, "", *facts])]
        for section in self.sections:
            numeric = _numeric(section)
            lines = _aligned(section.cells(), numeric)
            parts.append("\n".join([section.title, "", *lines, *_below(section.notes, width)]))
        return "\n\n".join(parts) + "\n"

    def markdown(self) -> str:
        """Return the report as Markdown, with its title as a second-level heading."""
        facts = [f"- {name}: {text}" for name, text in self.facts.items()]
        parts = ["\n".join([f"## {self.title}", "", *facts])]
        for section in self.sections:
            numeric = _numeric(section)
            rule = ["---:" if index in numeric else "---" for index in range(len(section.columns))]
            titles, *rows = section.cells()
            lines = [f"| {' | '.join(cells)} |" for cells in (titles, rule, *rows)]
            parts.append("\n".join([f"### {section.title}", "", *lines, *_below(section.notes)]))
        return "\n\n".join(parts) + "\n"

    def to_json(self) -> str:
        """Return the report as JSON, with unrounded numbers in SI units."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def _numeric(section: Section) -> set[int]:
    """Return the indices of the columns with numbers, which are right-aligned."""
    return {
        index
        for index, column in enumerate(section.columns)
        if any(isinstance(row.get(column.key), int | float) for row in section.rows)
    }


def _aligned(rows: Sequence[Sequence[str]], numeric: set[int] | tuple[()]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index in numeric else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _below(notes: Sequence[str], width: int | None = None) -> list[str]:
    return [line for note in notes for line in ("", textwrap.fill(note, width) if width else note)]
