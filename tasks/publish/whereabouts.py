"""Where a job's operations left every file: pure, over the journal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from models.domain.operations import REMOVE, Operation, OperationState
from models.domain.organizing import RESERVED_PREFIX
from models.domain.plans import Action

Place = tuple[str, str]
"""Root id and key."""

_MOVING = frozenset({Action.MOVE, Action.COPY, Action.TRASH, Action.DISPLACE, REMOVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One file that an operation put where it is.

    Attributes:
        origin: where it was before the job.
        is_copy: whether the original stayed.
        version: what the storage now knows it by; empty when it was not told.
        sha256: its content; empty when the journal does not know.
    """

    origin: Place
    is_copy: bool
    version: str
    size_bytes: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """What a job changed of where files are.

    Attributes:
        left: places where a file was and is no more, unless `arrivals` has another one there.
        arrivals: files that were put somewhere, by their place; never below the reserved prefix.
    """

    left: set[Place] = field(default_factory=set[Place])
    arrivals: dict[Place, Arrival] = field(default_factory=dict[Place, Arrival])

    @property
    def is_as_before(self) -> bool:
        """Return whether every file is where it was."""
        return not self.left and not self.arrivals

    def gone(self, root_id: str) -> list[str]:
        """Return the keys below a root where nothing is any more, sorted."""
        return sorted(key for root, key in self.left - self.arrivals.keys() if root == root_id)


def follow(operations: Iterable[Operation], roots: Mapping[str, str]) -> Whereabouts:
    """Return where files are after the operations that were carried out.

    Args:
        operations: in order of `seq`; a file may be moved several times.
        roots: id of each root by its URL.

    Raises:
        KeyError: an operation names a root that is not the job's.
    """
    where = Whereabouts()
    for operation in operations:
        if operation.state is not OperationState.DONE or operation.action not in _MOVING:
            continue
        source = (roots[operation.source_url], operation.source_key)
        before = where.arrivals.get(source)
        if operation.action != Action.COPY:
            where.arrivals.pop(source, None)
            where.left.add(source)
        key = operation.destination_key
        if operation.action == REMOVE or is_reserved(key):
            continue
        where.arrivals[roots[operation.destination_url], key] = Arrival(
            origin=before.origin if before else source,
            is_copy=operation.action == Action.COPY,
            version=operation.destination_version or "",
            size_bytes=operation.size_bytes,
            modified_ns=operation.modified_ns,
            sha256=operation.sha256,
        )
    return where


def is_reserved(key: str) -> bool:
    """Return whether a key is below our own folder: the trash, temporary files."""
    return key == RESERVED_PREFIX or key.startswith(f"{RESERVED_PREFIX}/")
