"""What was measured: sections of tables, for people and for programs."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Cell: TypeAlias = "str | int | float | bool | None"
"""None: it was not measured, or does not apply."""

_NOTHING = "–"
_WIDTH = 100
"""Of a terminal's line, in characters."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    key: str
    """Its name in each row, and in JSON: `median_seconds`."""
    title: str
    """Its name above the table, with the unit that is shown: `median ms`."""
    pattern: str = "{}"
    """How a value is shown, for `str.format`."""
    factor: float = 1.0
    """What a number is multiplied with before it is shown: 1000 shows seconds as ms."""

    def show(self, value: Cell) -> str:
        """Return a value as the table shows it."""
        if value is None:
            return _NOTHING
        if isinstance(value, int | float) and self.factor != 1.0:
            value = value * self.factor
        return self.pattern.format(value)


@dataclass(frozen=True, slots=True)
class Section:
    """A table, with what there is to say about it."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Cell], ...]
    """Each a value by each column's key, in SI units."""
    notes: tuple[str, ...] = ()
    """Sentences that stand below it."""

    def cells(self) -> list[list[str]]:
        """Return what the table shows: the titles, then the rows."""
        shown = [[each.show(row.get(each.key)) for each in self.columns] for row in self.rows]
        return [[each.title for each in self.columns], *shown]


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured."""

    title: str
    facts: dict[str, str]
    """What all figures depend on, such as the machine, by what it is."""
    sections: tuple[Section, ...] = field(default=())

    def text(self, width: int = _WIDTH) -> str:
        """Return it for a terminal.

        Args:
            width: Of a line, in characters. Notes are broken to fit; tables may be wider.
        """
        facts = _aligned([[f"{name}:", text] for name, text in self.facts.items()], ())
        parts = ["\n".join([self.title, "", *facts])]
        for section in self.sections:
            numeric = _numeric(section)
            lines = _aligned(section.cells(), numeric)
            parts.append("\n".join([section.title, "", *lines, *_below(section.notes, width)]))
        return "\n\n".join(parts) + "\n"

    def markdown(self) -> str:
        """Return it for a page, the report's title as a second-level heading."""
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
        """Return it for a program: numbers in SI units, unrounded."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def report_from_json(text: str) -> Report:
    """Return the report that `Report.to_json` wrote.

    Raises:
        ValueError: It is not JSON.
        KeyError: It is not a report.
    """
    found = json.loads(text)
    return Report(
        found["title"],
        found["facts"],
        tuple(
            Section(
                section["title"],
                tuple(Column(**column) for column in section["columns"]),
                tuple(section["rows"]),
                tuple(section["notes"]),
            )
            for section in found["sections"]
        ),
    )


def _numeric(section: Section) -> set[int]:
    """Return which columns hold numbers: those are aligned at their right."""
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
