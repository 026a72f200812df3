"""Models of many trees, of which a search hears how they do on the way."""

from collections.abc import Iterator

PARTS = 10


def parts(trees: int) -> Iterator[tuple[int, int]]:
    """Steps within `PARTS`, and how many trees there are after each; after the last step, all of them.

    A step is a share of a model's own trees: slow learners have more of them, and would look bad beside quick ones at
    the same number.
    """
    grown = 0
    for step in range(PARTS):
        wanted = -(-trees * (step + 1) // PARTS)
        if wanted > grown:
            grown = wanted
            yield step, wanted
