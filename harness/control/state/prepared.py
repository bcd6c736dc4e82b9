"""SQLAlchemy's statements as the text of one database, made once and run by its driver.

SQLAlchemy takes several times as long to run a statement as SQLite does: it finds the compiled form, makes a context,
wraps the cursor and the rows. The statements of the store are few and always the same, so all of that is done once for
each. What SQLAlchemy is for stays: one form of the statements and of the types for all databases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, Select
from sqlalchemy.sql import Executable
from sqlalchemy.types import JSON, TypeEngine

__all__ = ["Prepared"]

Convert = Callable[[Any], Any]
_EMPTY = "{}"
"""JSON of most columns of most records: of our types, JSON alone is converted."""


@dataclass(frozen=True, slots=True)
class _Text:
    """A statement as the driver takes it.

    parameters  names in the order of the text, with what makes the driver's value of each
    values      those that are the statement's own
    take        the parameters in the order of the text, where the driver takes all of them as they are given
    columns     the columns whose values are not ours already, with what makes ours of them
    """

    sql: str
    parameters: tuple[tuple[str, Convert | None], ...]
    values: Mapping[str, Any]
    take: Callable[[Mapping[str, Any]], Sequence[Any]] | None
    columns: tuple[tuple[int, Convert], ...]


class Prepared:
    """The statements of one database. Threads may share it.

    read_json  for JSON that is text to the driver; None: as SQLAlchemy does
    """

    def __init__(self, dialect: Dialect, read_json: Callable[[str], Any] | None = None) -> None:
        self._dialect = dialect
        self._read_json = read_json
        self._known: dict[Executable, _Text] = {}

    def run(self, cursor: Any, statement: Executable, given: Mapping[str, Any]) -> list[Sequence[Any]]:
        """The rows. A statement is always given parameters of the same names, and made once: it is kept for ever."""
        text = self._text(statement, given)
        cursor.execute(text.sql, self._values(text, given))
        if cursor.description is None:
            return []
        rows: list[Sequence[Any]] = cursor.fetchall()
        if not text.columns:
            return rows
        for number, row in enumerate(rows):
            rows[number] = ours = list(row)
            for place, convert in text.columns:
                ours[place] = {} if row[place] == _EMPTY else convert(row[place])
        return rows

    def run_each(self, cursor: Any, statement: Executable, given: Sequence[Mapping[str, Any]]) -> None:
        """A statement without rows, for each of several."""
        if given:
            text = self._text(statement, given[0])
            cursor.executemany(text.sql, [self._values(text, each) for each in given])

    def _text(self, statement: Executable, given: Mapping[str, Any]) -> _Text:
        text = self._known.get(statement)
        if text is None:
            text = self._known[statement] = self._compile(statement, given)
        return text

    def _values(self, text: _Text, given: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        if text.take is not None:
            return text.take(given)
        values = [
            text.values[name] if name in text.values else given[name] if convert is None else convert(given[name])
            for name, convert in text.parameters
        ]
        if self._dialect.positional:
            return values
        return {name: value for (name, _), value in zip(text.parameters, values, strict=True)}

    def _compile(self, statement: Executable, given: Mapping[str, Any]) -> _Text:
        # Executable, as SQLAlchemy types what may be executed, has no `compile`; all statements do.
        compiled: Any = statement.compile(dialect=self._dialect, column_keys=list(given))  # type: ignore[attr-defined]
        kinds = {name: parameter.type for parameter, name in compiled.bind_names.items()}
        selected = statement.selected_columns if isinstance(statement, Select) else ()
        parameters = tuple((name, self._binder(kinds[name])) for name in compiled.positiontup or kinds)
        values = {name: value for name, value in compiled.params.items() if name not in given}
        as_given = self._dialect.positional and not values and not any(convert for _, convert in parameters)
        return _Text(
            compiled.string,
            parameters,
            values,
            # A getter of one name gives the value alone.
            itemgetter(*(name for name, _ in parameters)) if as_given and len(parameters) > 1 else None,
            tuple(
                (place, convert)
                for place, column in enumerate(selected)
                if (convert := self._reader(column.type)) is not None
            ),
        )

    def _binder(self, kind: TypeEngine[Any]) -> Convert | None:
        convert = kind.dialect_impl(self._dialect).bind_processor(self._dialect)
        if convert is None or not isinstance(kind, JSON):
            return convert
        return _written(convert, convert({}))

    def _reader(self, kind: TypeEngine[Any]) -> Convert | None:
        if isinstance(kind, JSON) and self._read_json is not None:
            return self._read_json
        return kind.dialect_impl(self._dialect).result_processor(self._dialect, None)


def _written(convert: Convert, empty: Any) -> Convert:
    """The same, which does not write once more what is mostly written."""
    return lambda value: empty if value == {} else convert(value)
