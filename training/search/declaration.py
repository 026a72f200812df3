"""Parameters written into `params.yaml` with its comments and its form kept."""

import io
from pathlib import Path
from typing import Any

import ruamel.yaml

from data.params import PARAMS


def lines(model: str, values: dict[str, Any]) -> str:
    """The lines of `params.yaml` that give a model these parameters."""
    return f"models:\n  {model}:\n    params: {_flow(values)}"


def write(model: str, values: dict[str, Any], path: Path = PARAMS) -> None:
    """Set some of a model's parameters in `params.yaml`; all else stays as it is, comments too."""
    text = path.read_bytes().decode("utf-8")
    yaml: Any = ruamel.yaml.YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 100_000  # no line is broken
    _, indent, offset = ruamel.yaml.util.load_yaml_guess_indent(text)
    yaml.indent(mapping=2, sequence=indent or 2, offset=offset or 0)
    content = yaml.load(text)
    entry = content["models"][model]
    if entry.get("params") is None:
        entry["params"] = ruamel.yaml.comments.CommentedMap()
        entry["params"].fa.set_flow_style()
    for name, value in values.items():
        entry["params"][name] = _plain(value)
    written = io.StringIO()
    yaml.dump(content, written)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(written.getvalue().replace("\n", "\r\n" if "\r\n" in text else "\n").encode("utf-8"))
    unfinished.replace(path)


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    sequence = ruamel.yaml.comments.CommentedSeq([_plain(one) for one in value])
    sequence.fa.set_flow_style()
    return sequence


def _flow(values: dict[str, Any]) -> str:
    yaml: Any = ruamel.yaml.YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width, yaml.sort_base_mapping_type_on_output = True, 100_000, False
    text = io.StringIO()
    yaml.dump(values, text)
    return text.getvalue().strip()
