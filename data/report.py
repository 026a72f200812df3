"""What preparing and inspecting tell a person."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import ruamel.yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data.agree import Agreement
from data.changes import Change
from data.contract import TENSORS
from data.faults import Checked
from data.infer import Decision, counted
from data.splits import SPLITS

SHOWN = 20  # dropped columns named one by one


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(highlight=False, soft_wrap=True, width=140)
    return console


def without_target(name: str, lost: int, rows: int, target: str) -> None:
    """Say how many rows have no target."""
    if lost:
        print(f"tasks.{name}: {lost:,} of {rows:,} rows have no {target!r} and are left out")


def bad_rows(name: str, checked: Checked, where: Path | None) -> None:
    """Say how many rows were left out for which fault, and where they are."""
    counts = np.bincount(checked.faults, minlength=len(checked.reasons) + 1)[1:]
    what = "; ".join(
        f"{count:,} with {column!r} {words}"
        for count, (column, words) in zip(counts, checked.reasons, strict=True)
        if count
    )
    total, rows = int(counts.sum()), len(checked.faults)
    print(f"{name}: {total:,} of {rows:,} rows left out ({what})" + (f"; they are in {where}" if where else ""))


def prepared(name: str, agreed: Agreement, parts: np.ndarray, warned: list[dict[str, Any]]) -> None:
    """Say what was decided and how many rows each split has."""
    if not agreed.held:
        out = [one for one in agreed.columns if one.role == "dropped" and one.why not in ("not among `columns`",)]
        for one in out[:SHOWN]:
            print(f"{name}: no input: {one.name!r}, {one.why}")
        if len(out) > SHOWN:
            print(f"{name}: and {len(out) - SHOWN} more; see `python -m data inspect {name}`")
        _alike(name, agreed.contract.classes)
    warnings(name, warned)
    counts = np.bincount(parts, minlength=len(SPLITS))
    print(f"{name}: " + ", ".join(f"{count:,} {part}" for part, count in zip(SPLITS, counts, strict=True)) + " rows")


def _alike(name: str, classes: tuple[str, ...]) -> None:
    """Tell of classes that a person may have meant to be one."""
    groups: dict[str, list[str]] = {}
    for one in classes:
        groups.setdefault(" ".join(one.casefold().split()), []).append(one)
    for group in groups.values():
        if len(group) > 1:
            print(
                f"{name}: the classes {', '.join(map(repr, group))} differ in blanks or capitals only; is that meant?"
            )


def warnings(name: str, warned: list[dict[str, Any]]) -> None:
    """Print what is suspicious."""
    console = _console()
    for one in warned:
        mark = "[bold red]suspicion of leakage[/]" if one["leak"] else "[yellow]note[/]"
        console.print(f"{name}: {mark}: {escape(one['words'])}")


def changed(name: str, changes: list[Change]) -> None:
    """A table of what has changed in the source, if something has."""
    if not changes:
        return
    table = Table(title=f"{name}: what has changed in the source", title_justify="left")
    for head in ("column", "before", "now", ""):
        table.add_column(head)
    for one in changes:
        table.add_row(escape(one.column), escape(one.before), escape(one.now), "[red]stops[/]" if one.stops else "")
    _console().print(table)


def contract(name: str, agreed: Agreement, rows: int) -> None:
    """The contract as a table, and the YAML to override it."""
    said = f"of {rows:,} rows" + (", as before" if agreed.held else "")
    table = Table(title=f"{name}: the contract {said}", title_justify="left")
    for head, justify in (
        ("column", "left"),
        ("type", "left"),
        ("role", "left"),
        ("missing", "right"),
        ("distinct", "right"),
        ("examples", "left"),
        ("decided", "left"),
        ("why", "left"),
    ):
        table.add_column(head, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for one in agreed.columns:
        decided = one.kind if one.role == "input" else "class" if one.role == "target" else "-"
        examples = ", ".join(one.examples)
        table.add_row(
            escape(one.name),
            "text" if one.type == "VARCHAR" else one.type.lower(),
            one.role,
            f"{one.missing:.1%}",
            "-" if one.kind is None or one.kind in TENSORS else counted(one),
            escape(examples),
            decided,
            escape(one.why),
            style="" if one.role in ("input", "target") else "dim",
        )
    _console().print(table)
    shown = [name if name == name.strip() else repr(name) for name in agreed.contract.classes[:20]]
    more = " …" if len(agreed.contract.classes) > 20 else ""
    print(f"classes of {agreed.contract.target!r}: {', '.join(shown)}{more}")
    _alike(name, agreed.contract.classes)
    if len(agreed.contract.classes) == 2:
        other, positive = agreed.contract.classes
        print(
            f"precision, recall and F1 speak of {positive!r}; to have them speak of {other!r}, declare it as `positive`"
        )
    print("\nTo decide otherwise, paste under tasks in params.yaml and change what you like:\n")
    print(override(name, agreed))


def override(name: str, agreed: Agreement) -> str:
    """The decisions as YAML, a line for each column."""
    said = {one.name: _declared(one) for one in agreed.columns if one.role in ("input", "dropped", "split")}
    text = io.StringIO()
    yaml = ruamel.yaml.YAML()
    yaml.width = 10_000
    yaml.allow_unicode = True
    yaml.dump({name: {"override": said}}, text)
    return "".join("  " + line for line in text.getvalue().splitlines(keepends=True))


def _declared(one: Decision) -> Any:
    if one.role != "input" or one.kind is None:
        return "drop"
    said: dict[str, Any] = {"kind": one.kind}
    if one.kind in TENSORS:
        said |= {"shape": list(one.shape), "low": one.low, "high": one.high}
    elif one.kind == "time" and one.form.startswith("%"):
        said |= {"format": one.form}
    else:
        return one.kind
    inline = ruamel.yaml.comments.CommentedMap(said)
    inline.fa.set_flow_style()
    return inline
