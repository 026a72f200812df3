"""Markdown that CommonMark, GitHub and MLflow's pages read alike, whatever the names in it are."""

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

GAP = "\u2003\u200b"  # which nothing trims: MLflow's pages leave no room between the columns of a table
LONGEST = 60  # letters of a name or a value
ENTITIES = {"&": "&amp;", "<": "&lt;", "@": "&#64;", ":": "&#58;"}  # which MLflow's pages know no backslash for
SPARED = 2  # a few rows or names more stand where a word on them would
MARKS = re.compile(r"[\\`*|~]|\](?=\()|(?<![^\W_])_|_(?![^\W_])|:(?=[\w+-]+:)|[&<@]")

T = TypeVar("T")


def text(value: object, longest: int = LONGEST) -> str:
    """A name or a value on one line, cut, with no sign in it that has a meaning; an empty one is told as such."""
    shown = " ".join(str(value).split())
    if not shown.isprintable():
        shown = "".join(sign if sign.isprintable() else "�" for sign in shown)
    if len(shown) > longest:
        shown = shown[: longest - 1] + "…"
    escaped = MARKS.sub(lambda found: ENTITIES.get(found[0], "\\" + found[0]), shown)
    return escaped or "(empty)"


def code(value: object, longest: int | None = None) -> str:
    """A value on one line as code; outside of tables, where a bar would end the cell."""
    shown = " ".join(str(value).split())
    if longest and len(shown) > longest:
        shown = shown[: longest - 1] + "…"
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if len(fence) > 1 or not shown else ""
    return f"{fence}{space}{shown}{space}{fence}"


def block(content: str) -> str:
    """Lines of a shell as a block of code."""
    return f"```bash\n{content}\n```"


def listing(names: Iterable[object], longest: int) -> str:
    """Names in a row, about `longest` of them."""
    every = list(names)
    shown = _cut(every, longest)
    more = f" and {len(every) - len(shown):,} more" if len(shown) < len(every) else ""
    return ", ".join(map(text, shown)) + more


def table(head: Sequence[str], rows: Sequence[Sequence[str]], longest: int, caption: str = "") -> str:
    """A table of cells that are Markdown, about `longest` rows of it, with a caption below."""
    shown = _cut(rows, longest)
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *shown)]
    more = f"… and {len(rows) - len(shown):,} more. " if len(shown) < len(rows) else ""
    return "\n".join(lines) + f"\n\n{more}{caption}".rstrip()


def spaced(markdown: str) -> str:
    """Tables with room between their columns."""
    return re.sub(r"^\| (?!---).*$", lambda row: row[0].replace(" | ", f"{GAP} | "), markdown, flags=re.MULTILINE)


def _cut(every: Sequence[T], longest: int) -> Sequence[T]:
    """At most `longest`, or a few more where only these would be left out."""
    return every if len(every) <= longest + SPARED else every[:longest]
