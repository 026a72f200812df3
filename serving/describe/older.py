"""OpenAPI 3.1 as 3.0, for tools that read no other."""

from typing import Any

KEPT = frozenset(("example", "examples", "value", "default", "enum"))  # data, in which nothing is a keyword


def older(document: dict[str, Any]) -> dict[str, Any]:
    """The same document as OpenAPI 3.0; what 3.0 cannot say is said more loosely."""
    found: dict[str, Any] = _older(document)
    return found | {"openapi": "3.0.3"}


def _older(node: Any) -> Any:
    if isinstance(node, list):
        return [_older(one) for one in node]
    if not isinstance(node, dict):
        return node
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":  # whose keys are names
            found[key] = {name: _older(one) for name, one in value.items()}
        else:
            found[key] = value if key in KEPT else _older(value)
    if isinstance(found.get("type"), list):
        _one_type(found)
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if "prefixItems" in found:
        items = found.pop("prefixItems")
        found["items"] = {"anyOf": [one for place, one in enumerate(items) if one not in items[:place]]}
    found.pop("contains", None)
    if found.get("contentMediaType"):
        found["format"] = "binary"
        del found["contentMediaType"]
    if found.get("allOf") == [{}] * len(found.get("allOf", ())):
        found.pop("allOf", None)
    return found


def _one_type(found: dict[str, Any]) -> None:
    types: list[str] = found.pop("type")
    names = [name for name in types if name != "null"]
    null = {"nullable": True} if "null" in types else {}
    if len(names) == 1:
        found |= {"type": names[0], **null}
    else:
        found["anyOf"] = [{"type": name, **null} for name in names]
