"""What is live, as much of it as the one who asks may see."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import Request

from serving.access.keys import ANYONE, Grant, presented
from serving.follow import state
from serving.live import Slot, unavailable
from serving.protocol.errors import Refused
from serving.pyfunc.served import Pyfunc
from serving.served import Served

if TYPE_CHECKING:
    from serving.app import Application

Sight = Grant


class Place(NamedTuple):
    """An address that answers: a stage or an alias, and the version behind it."""

    slot: Slot
    served: Served | Pyfunc

    @property
    def path(self) -> str:
        """Where it is asked, less the protocol."""
        return f"/models/{self.slot}"


def application(request: Request) -> "Application":
    """The worker that answers a request."""
    found: Application = request.app.state.application
    return found


def visible(request: Request) -> Sight:
    """What a request may see by its key; everything where no keys are in force.

    Raises:
        Refused: 401, keys are in force and it shows none that is valid.
    """
    keys = application(request).door.keys
    return keys.who(presented(request.headers.raw)) if keys is not None else ANYONE


def administered(request: Request) -> None:
    """Nothing, if a request may see the server's own numbers.

    Raises:
        Refused: 401 or 403.
    """
    keys = application(request).door.keys
    if keys is not None:
        keys.administer(presented(request.headers.raw))


def slots(request: Request, sight: Sight) -> list[Slot]:
    """All addresses that may be seen, those that nothing answers for included, in order."""
    found = [slot for slot in application(request).live.slots.values() if sight.may(slot.name, slot.reference)]
    return sorted(found, key=lambda slot: (slot.name, slot.reference.startswith("@"), slot.reference))


def places(request: Request, sight: Sight) -> list[Place]:
    """The addresses that may be seen and answer, in order."""
    return [Place(slot, slot.served) for slot in slots(request, sight) if slot.served is not None]


def by_version(found: list[Place]) -> Iterator[tuple[Served | Pyfunc, list[Place]]]:
    """Each version once, with the addresses that it answers for."""
    versions: dict[str, list[Place]] = {}
    for place in found:
        versions.setdefault(place.served.name, []).append(place)
    for of_version in versions.values():
        yield of_version[0].served, of_version


def numbers(request: Request, sight: Sight, name: str) -> list[int]:
    """The registered versions of a model that may be asked by number."""
    found = application(request).live.state.versions
    return sorted(one.number for one in found if one.name == name and sight.may(name, str(one.number)))


async def one(request: Request, sight: Sight, name: str, reference: str) -> tuple[Served | Pyfunc, Slot | None]:
    """The version behind an address, and its slot where that is a stage or an alias.

    Raises:
        Refused: 403 it may not be seen, whether or not it exists; 404 there is none; 503 it cannot be loaded.
    """
    live = application(request).live
    slot = live.slots.get(state.address(name, reference))
    if slot is not None:
        name, reference = slot.name, slot.reference
    if not sight.may(name, reference):
        raise forbidden()
    if reference.isdecimal():
        return await live.numbered(name, reference), None
    slot = live.slot(name, reference)
    if slot.served is None:
        raise unavailable(str(slot), slot.told)
    return slot.served, slot


def default(request: Request, sight: Sight) -> str:
    """The address behind the paths that name none; empty if there is none that may be seen."""
    live = application(request).live
    name, _, reference = live.default().rpartition("/")
    slot = live.slots.get(state.address(name, reference))
    if slot is not None:
        name, reference = slot.name, slot.reference
    return f"{name}/{reference}" if name and sight.may(name, reference) else ""


def forbidden() -> Refused:
    """A key that is for something else."""
    return Refused(403, "PERMISSION_DENIED", "this API key is not for what was asked")


def moment(seconds: float) -> str | None:
    """A time as ISO 8601 in UTC; None where it is not known."""
    return (
        datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if seconds
        else None
    )
