"""The sections of a card, each from the facts to Markdown; empty where there is nothing to say."""

from typing import Any

import numpy as np

from data.params import GroupSplit, Source, TimeSplit
from registry import importance, words
from registry.card import call, limits
from registry.card.facts import Facts, metric_name
from registry.markdown import LONGEST, block, code, listing, table, text
from training.metrics import BINS, PER_CLASS

GROUPS = 5  # of probabilities, each of the same number of the calibration error's bins
DIGITS = 12  # of a digest
LONGEST_QUERY = 300
MOST_WORDS = 15


def summary(facts: Facts, longest: int) -> str:
    """What it predicts, how well, and what the gate said."""
    candidate, contract = facts.candidate, facts.contract
    if len(contract.classes) == 2:
        classes = f"{text(contract.classes[0])} or {text(contract.classes[1])} (the positive class)"
    else:
        classes = f"one of {len(contract.classes)} classes ({listing(contract.classes, longest)})"
    kinds = {kind: len(contract.of_kind(kind)) for kind in dict.fromkeys(one.kind for one in contract.columns)}
    taken = " and ".join(_counted(kind, count) for kind, count in kinds.items())
    lines = [
        f"{text(candidate.model)} ({candidate.family}) predicts {text(contract.target)}: {classes}, with a "
        f"probability of each, from {taken}. The label is {text(candidate.label_rule, 2 * LONGEST)}.",
        f"Test {facts.metric} **{candidate.test[facts.conditions.metric]}**.",
    ]
    if facts.verdict:
        better = "better" if facts.verdict.better else "not better"
        lines.append(f"Verdict of the gate: {better}: {text(facts.verdict.reason, 5 * LONGEST)}.")
    return "\n\n".join(lines)


def metrics(facts: Facts, longest: int) -> str:
    """Every metric on validation and test rows, and over folds."""
    one = facts.candidate
    head = ["metric", "validation", "test", *(["over folds"] if one.folds else [])]
    rows = [
        [metric_name(name), str(one.validation[name]), str(interval), *([str(one.folds[name])] if one.folds else [])]
        for name, interval in one.test.items()
    ]
    return table(head, rows, len(rows), "With 95% bootstrap intervals over rows.")


def classes(facts: Facts, longest: int) -> str:
    """How each class is found among the test rows."""
    rows = [
        [text(name), *(str(getattr(one, part)) for part in PER_CLASS), f"{one.support:,}"]
        for name, one in facts.candidate.per_class.items()
    ]
    head = ["class", *map(metric_name, PER_CLASS), "rows"]
    return table(head, rows, longest, "Each against the rest, on test rows, with 95% bootstrap intervals.")


def slices(facts: Facts, longest: int) -> str:
    """The gate's metric on parts of the test rows, worst first."""
    if not facts.slices:
        return ""
    rows = [
        [text(one), "one class only" if one.figure is None else f"{one.figure:.4f}", f"{one.rows:,}"]
        for one in facts.slices
    ]
    return table(["where", facts.metric, "rows"], rows, longest, "Parts of the test rows, worst first.")


def calibration(facts: Facts, longest: int) -> str:
    """How predicted and observed shares agree, in groups of rows of like probability."""
    evaluation, names = facts.evaluation, facts.contract.classes
    two = len(names) == 2
    p = evaluation.probabilities.astype(np.float64)
    predicted = p[:, 1] if two else p.max(axis=1)
    group, rows = evaluation.bin * GROUPS // BINS, []
    for place in range(GROUPS):
        if (inside := group == place).any():
            given, gap = predicted[inside].mean(), evaluation.gap[inside].mean()
            reach = f"{place * 100 // GROUPS} to {(place + 1) / GROUPS:.0%}"
            rows.append([reach, f"{inside.sum():,}", f"{given:.1%}", f"{given + gap:.1%}"])
    of = f"of {text(names[1])}" if two else "of the likeliest class"
    error = facts.candidate.test["calibration_error"]
    said = f"Calibration error {error}: how far probabilities {of} are from observed shares of the test rows."
    return table(["probability", "rows", "predicted", "observed"], rows, GROUPS, said)


def matters(facts: Facts, longest: int) -> str:
    """Permutation importance of columns, with what training rows held; of regions or channels; or words."""
    if facts.permuted is None:
        return _words(facts, longest)
    lost = {one.part: f"{one.drop:.4f} ± {one.deviation:.4f}" for one in facts.permuted.parts}
    said = (
        f"How much worse {facts.metric} gets when a part of the input is exchanged between test rows (a sample of "
        f"{facts.permuted.rows:,}; mean ± deviation of {importance.REPEATS} permutations). Of parts that tell the "
        "same, each may look idle."
    )
    if facts.contract.tensor:
        named = "region" if facts.contract.tensor.kind == "image" else "channel"
        return table([named, "worse by"], list(map(list, lost.items())), longest, said)
    held = facts.reference["columns"]
    rows = [[text(part), loss, _held(held[part]), _share(held[part]["missing"])] for part, loss in lost.items()]
    return table(["column", "worse by", "training rows", "missing"], rows, longest, said)


def _words(facts: Facts, longest: int) -> str:
    if not facts.words:
        return f"No word is in {words.TEXTS} of the test texts or more, so that none was tried."
    rows = [
        [text(one.word), text(facts.contract.classes[one.code]), f"{one.drop:.3f} ± {one.deviation:.3f}"]
        for one in facts.words
    ]
    said = (
        f"Of the {words.TRIED} words whose test texts are answered most unlike the others: how much probability a "
        f"class loses when one is left out (mean ± deviation over {words.TEXTS} texts with it)."
    )
    return table(["word", "speaks for", "lost"], rows, min(longest, MOST_WORDS), said)


def restrictions(facts: Facts, longest: int) -> str:
    """What it cannot do."""
    return "\n".join(f"- {one}" for one in limits.sentences(facts))


def calling(facts: Facts, longest: int) -> str:
    """Commands that start a server and ask it."""
    serve, ask = call.commands(facts.task, facts.number, facts.body)
    return f"{block(serve)}\n\nand in another terminal\n\n{block(ask)}"


def data(facts: Facts, longest: int) -> str:
    """Source, split, rows and digest."""
    record = facts.candidate.data
    rows = [[f"{record['rows'][part]:,}" for part in ("train", "validation", "test")]]
    lines = [f"- Source: {_source(facts.declared.source)}", f"- Split {_split(facts, longest)}"]
    lines.append(f"- SHA-256 of the prepared rows: `{record['digest'][:DIGITS]}…`")
    return table(["training rows", "validation", "test"], rows, 1, "\n".join(lines))


def training(facts: Facts, longest: int) -> str:
    """Family, parameters and costs."""
    one = facts.candidate
    given = _parameter({name: value for name, value in one.params.items() if value is not None})
    costs = [
        [
            f"{one.fit_seconds:.1f} s",
            f"{one.peak_memory_mib:,.0f} MiB",
            _size(one.graph_bytes),
            f"{one.latency_ms:.3g} ms",
        ]
    ]
    said = f"Family {code(one.family)}, seed {one.seed}, parameters {code(given)}."
    return table(["fit", "peak memory", "graph", "one row"], costs, 1, said)


def rebuilding(facts: Facts, longest: int) -> str:
    """The command that trains it again, and what it starts from."""
    lineage = facts.candidate.lineage
    marks = {
        "git commit": lineage["git_commit"],
        "DVC's hash of the rows": lineage["dvc_data"],
        "of the parameters": lineage["dvc_params"],
        "SHA-256 of the graph": facts.candidate.digest,
    }
    known = ", ".join(f"{name} {code(value[:DIGITS] + '…')}" for name, value in marks.items() if value)
    return f"{block(f'python -m registry reproduce {facts.task} {facts.number}')}\n\nFrom {known}."


def packages(facts: Facts, longest: int) -> str:
    """The versions of what it was trained with."""
    return ", ".join(f"{name} {version}" for name, version in facts.candidate.lineage["packages"].items())


def _counted(kind: str, count: int) -> str:
    if count == 1:
        return f"an {kind}" if kind == "image" else f"a {kind}"
    return f"{count} {'categories' if kind == 'category' else kind + 's'}"


def _held(column: dict[str, Any]) -> str:
    """What training rows held in a column: from least to most, or the commonest values."""
    if quantiles := column.get("quantiles"):
        if column["kind"] == "boolean":
            return "true or false"
        ends = [quantiles[level] for level in ("0.0", "1.0")]
        if column["kind"] == "time":
            return " to ".join(str(np.datetime64(int(end), "s").astype("datetime64[D]")) for end in ends)
        return " to ".join(f"{end:.6g}" for end in ends)
    if column["kind"] == "category" and column.get("shares"):
        return f"{listing(column['shares'], 3)}"
    return ""


def _share(share: float) -> str:
    return "" if share == 0 else "under 1%" if share < 0.01 else f"{share:.0%}"


def _source(source: Source) -> str:
    if source.url is None:
        return code(source.path)
    from sqlalchemy import make_url

    from data.readers.sql import VARIABLE

    address = source.url.strip()
    if not VARIABLE.fullmatch(address):  # the name of a variable that holds the whole
        address = make_url(address).set(query={}).render_as_string(hide_password=True)
    return f"{code(address)}, query {code(source.query, LONGEST_QUERY)}"


def _split(facts: Facts, longest: int) -> str:
    split = facts.declared.split
    if isinstance(split, TimeSplit):
        return (
            f"by time ({text(split.column)}): training rows are from before {text(split.validation)}, validation rows "
            f"from then to before {text(split.test)}, test rows from then on"
        )
    if isinstance(split, GroupSplit):
        parts = [
            f"{name} {'share ' + format(chosen, '.0%') if isinstance(chosen, float) else listing(chosen, longest)}"
            for name, chosen in (("validation", split.validation), ("test", split.test))
        ]
        return f"by group ({text(split.column)}): {', '.join(parts)}, training the others"
    return f"at random within each class: {split.validation:.0%} validation, {split.test:.0%} test"


def _parameter(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_parameter(one)}" for name, one in value.items()) + "}"
    return "[" + ", ".join(map(_parameter, value)) + "]" if isinstance(value, list | tuple) else str(value)


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KiB" if count < 1024**2 else f"{count / 1024**2:,.1f} MiB"
