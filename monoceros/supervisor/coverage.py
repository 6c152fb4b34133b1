"""Who serves the listeners of a slot that has no ready worker, where each slot has listeners of its own (SO_REUSEPORT).

The system spreads connections over all listening sockets, whether somebody accepts from them or not. So a socket whose
slot has no ready worker is served by a worker of another slot, until its own is back; that of a retired slot for ever.
"""

from monoceros.supervisor.events import Action, Cover, Uncover
from monoceros.supervisor.fleet import Fleet
from monoceros.supervisor.handle import State


def spread(fleet: Fleet) -> list[Action]:
    """Bring `covers` of the ready workers up to date, and return what changed: each gap to who has the fewest."""
    ready = fleet.in_state(State.READY)
    manned = {handle.slot for handle in ready}
    actions: list[Action] = []
    covered: set[int] = set()
    for handle in ready:
        for number in sorted(handle.covers & manned):
            handle.covers.discard(number)
            actions.append(Uncover(handle.serial, number))
        covered |= handle.covers
    for slot in fleet.slots if ready else ():
        if slot.number not in manned | covered:
            chosen = min(ready, key=lambda handle: (len(handle.covers), handle.serial))
            chosen.covers.add(slot.number)
            actions.append(Cover(chosen.serial, slot.number))
    return actions
