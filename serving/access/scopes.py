"""What a key is for: models, at a stage, an alias or a version's number, or the server's own pages."""

import re

ADMIN = "admin"
ANY = "*"
FORMS = "flights, flights/Production, flights/@production, flights/7, */Production, * or admin"

MODEL = re.compile(r"[^\s/:*@][^\s/:*]*")
REFERENCE = re.compile(r"@[\w.-]+|[1-9][0-9]*|Production|Staging|Archived", re.ASCII)


def parse(text: str) -> tuple[str, str]:
    """The model and the reference that a scope allows, `*` for any.

    Raises:
        ValueError: The text is no scope.
    """
    model, slash, reference = text.partition("/")
    if not slash:
        reference = ANY
    if (model != ANY and not MODEL.fullmatch(model)) or (reference != ANY and not REFERENCE.fullmatch(reference)):
        raise ValueError(f"{text!r} is no scope; expected a form such as {FORMS}")
    return model, reference


def allowed(scopes: tuple[str, ...]) -> tuple[bool, frozenset[tuple[str, str]]]:
    """Whether the server's own pages are allowed, and which pairs of model and reference are.

    Raises:
        ValueError: One of the texts is no scope.
    """
    return ADMIN in scopes, frozenset(parse(scope) for scope in scopes if scope != ADMIN)
