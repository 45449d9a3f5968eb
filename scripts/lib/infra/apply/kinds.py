"""How each type of resource is created: the requests that the provider sends, and what is read back and compared.

A function per type takes the resource and its arguments, and returns the attributes that other resources refer to. A
new type in infra/ needs a function here; without one, the run fails and names it.
"""

from typing import Any, Callable

import kinds_functions
import kinds_queues
import kinds_roles
import kinds_storage
import kinds_watching
from session import Refused, Resource, Session

Kind = Callable[[Resource, dict[str, Any]], dict[str, Any]]

KINDS: dict[str, Kind] = (
    kinds_functions.KINDS | kinds_queues.KINDS | kinds_roles.KINDS | kinds_storage.KINDS | kinds_watching.KINDS
)


def create(session: Session, provider: dict[str, Any], kind: str, this: dict[str, Any]) -> dict[str, Any]:
    """Creates a resource, and returns its attributes."""
    if kind not in KINDS:
        raise Refused(f"scripts/lib/infra/apply does not say which requests make {kind}")
    made = KINDS[kind](Resource(session, provider, kind), this)
    with session.lock:
        session.made[kind] += 1
    return made
