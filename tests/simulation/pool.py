"""A pool of GlusterFS with data in it, and what each action of the planner really does to it.

Bricks hold sets of acknowledged writes. A write goes to every brick of a set that its client reaches, and
is acknowledged as AFR does: by a majority for three copies or more, by any brick that lacks nothing for
two, and with an arbiter only beside a data brick that lacks nothing. Who has a write accuses who lacks it;
that is what `heal info` counts. Nodes see peers of their own side only, report through documents of
Kubernetes when it is their turn (so what others see of them is old), and are made ready or not by Kubernetes
some time after it is true. Commands are refused where glusterd refuses them. One that lost its disk and is
let in again may stay halfway in the pool of some others, who refuse changes with it until their glusterd is
another; while it is away, bricks go on, and what is changed without it has its consequences.

What it does not imitate: clients of two copies that are cut off with the smaller side (nothing but a third
copy helps them); overwritten and deleted files; split-brain; commands that take time; brick processes that
die and return between two looks of the actor (`facts`: the planner cannot see them); full disks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gluster_sidecar import actions as do
from gluster_sidecar.contract import host_name, node_of_host
from gluster_sidecar.memory import Memory
from gluster_sidecar.model import Brick, Peer, Task, TaskState, Volume

NAMESPACE = "default"
LOOKS_APART = timedelta(seconds=100)
"""Looks of one sidecar at most, while nothing keeps it from them: time passes in larger steps here."""
START = datetime(2026, 1, 1, tzinfo=UTC)


class Refused(Exception):
    """glusterd or Kubernetes refuses a command."""


def host(node: int) -> str:
    return host_name(node, NAMESPACE)


def node_of(brick: Brick | str) -> int:
    node = node_of_host(brick.host if isinstance(brick, Brick) else brick.split(":")[0])
    assert node is not None
    return node


@dataclass(eq=False)
class Shared:
    """What all glusterd of one pool keep in common; whoever was away learns it on return."""

    peers: set[int]
    volume: Volume | None = None
    homes: list[set[int]] = field(default_factory=list)
    """By set: the acknowledged writes that belong on it."""
    left: int = 0
    """Files that the last removal could not move."""


@dataclass(eq=False)
class Node:
    number: int
    shared: Shared
    """What its glusterd knows; a blank one is alone in a pool of its own."""
    folders: dict[str, set[int]] = field(default_factory=dict)
    """Its disk: bricks that were ever made on it."""
    removed: set[str] = field(default_factory=set)
    """Those of them that left by a removal: what was moved is no longer in them."""
    believed: dict[str, set[int]] = field(default_factory=dict)
    """What was on the disk that it lost: nobody accuses a brick of that until it has been replaced."""
    unmarked: dict[str, set[int]] = field(default_factory=dict)
    """Of a brick that was made by a command which failed halfway: what nobody knows that it lacks."""
    powered: bool = True
    ending: bool = False
    """Its sidecar asked for another glusterd, and the one of before still answers."""
    glusterd: bool = True
    """It answers; the brick goes on without it."""
    halfway: set[int] = field(default_factory=set)
    """Peers that its glusterd has not quite let in, until it is started anew."""
    knew: tuple[Brick, ...] = ()
    """The volume's bricks when its glusterd ended."""
    side: int = 0
    """Of a partition: only nodes of the same side reach each other."""
    api: bool = True
    serves: bool = False
    """Its brick process runs."""
    starts: int = 0
    """Of its brick."""
    caught_up: bool = False
    """Its sidecar saw its set whole since its brick was started (`Loop._caught_up`)."""
    learned: bool = True
    """glusterd was started since it was let into the pool again."""
    restarted: datetime | None = None
    memory: Memory = field(default_factory=lambda: Memory(LOOKS_APART))
    """Of its sidecar."""

    @property
    def stranded(self) -> bool:
        """Detached by force while it was away, and it does not know."""
        return self.number not in self.shared.peers

    @property
    def place(self) -> str:
        """As `disk.next_brick`."""
        taken = {b.path for b in self.own_bricks} | self.folders.keys()
        numbers = [int(name.removeprefix("/data/brick").lstrip("-") or 1) for name in taken]
        return f"/data/brick-{max(numbers) + 1}" if numbers else "/data/brick"

    @property
    def volume(self) -> Volume | None:
        return self.shared.volume if self.learned else None

    @property
    def own_bricks(self) -> list[Brick]:
        return [b for b in self.volume.bricks if node_of(b) == self.number] if self.volume else []

    @property
    def lost(self) -> frozenset[str]:
        return frozenset(brick.id for brick in self.own_bricks if brick.path not in self.folders)


class GlusterPool:
    """All nodes' glusterd, bricks and disks."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        self.acked: set[int] = set()
        self.writes = 0
        self.tasks = 0
        self.now = START

    def add(self, number: int) -> Node:
        node = Node(number, Shared({number}))
        self.nodes[number] = node
        return node

    @property
    def main(self) -> Shared | None:
        """The pool with the volume."""
        found = {id(n.shared): n.shared for n in self.nodes.values() if n.shared.volume is not None}
        assert len(found) <= 1, "two pools have a volume"
        return next(iter(found.values()), None)

    def reaches(self, one: Node, other: Node) -> bool:
        return one.powered and other.powered and one.side == other.side

    def linked(self, one: Node, other: Node) -> bool:
        """Their glusterd answer each other."""
        return self.reaches(one, other) and one.glusterd and other.glusterd

    def connected(self, me: Node) -> Iterator[Node]:
        """Nodes whose glusterd answers `me`, itself included."""
        for number in sorted(me.shared.peers):
            node = self.nodes.get(number)
            if node is not None and node.shared is me.shared and self.linked(me, node):
                yield node

    def there(self, me: Node) -> set[int]:
        """Numbers of those nodes; of one that was detached while it was away, and reaches nobody, its own."""
        return {me.number} if me.stranded else {node.number for node in self.connected(me)}

    def peers(self, me: Node) -> dict[str, Peer]:
        """As its glusterd has them: rejected if their disk was lost, until they are let in."""
        there, found = self.there(me), {}
        for number in sorted(me.shared.peers - {me.number}):
            other = self.nodes.get(number)
            connected = other is not None and self.linked(me, other) and not me.stranded
            rejected = connected and number not in there
            well = not rejected and number not in me.halfway
            found[host(number)] = Peer(host(number), f"uuid-{number}", connected, well, rejected)
        return found

    def up(self, brick: Brick) -> Node | None:
        """The node that serves the brick."""
        node = self.nodes.get(node_of(brick))
        return node if node and node.powered and node.serves and brick.path in node.folders else None

    def data(self, brick: Brick) -> set[int] | None:
        """What is in a brick, running or not; None if its disk is gone."""
        node = self.nodes.get(node_of(brick))
        return node.folders.get(brick.path) if node else None

    def believed(self, brick: Brick) -> set[int]:
        """What the others of its set take it to have."""
        node = self.nodes.get(node_of(brick))
        if node is None:
            return set()
        has = node.folders.get(brick.path, node.believed.get(brick.path, set()))
        return has | node.unmarked.get(brick.path, set())

    def unmark(self, new: str) -> None:
        """Nobody has noted that the brick which was just made is empty."""
        home, one = self._set_of(new)
        brick = next(brick for brick in one if brick.id == new)
        self.nodes[node_of(brick)].unmarked[brick.path] = set(home)

    def _set_of(self, brick: str) -> tuple[set[int], tuple[Brick, ...]]:
        """What belongs on its set, and the set."""
        shared = self.main
        assert shared
        assert shared.volume
        sets = zip(shared.homes, shared.volume.sets, strict=True)
        return next((home, one) for home, one in sets if brick in {b.id for b in one})

    def is_arbiter(self, volume: Volume, brick: Brick) -> bool:
        return volume.arbiter and volume.bricks.index(brick) % volume.replica == volume.replica - 1

    def sources(self, volume: Volume, one: Iterable[Brick]) -> list[Brick]:
        return [brick for brick in one if not self.is_arbiter(volume, brick)]

    # -- what clients and glusterd's own daemons do

    def busy_side(self) -> int:
        """The side of most nodes, where the clients of two copies are."""
        sides = [node.side for node in self.nodes.values()]
        return max(sorted(set(sides)), key=sides.count, default=0)

    def _accepting(self, shared: Shared, index: int, side: int) -> list[Brick]:
        """The bricks that would take a write; none if it would not be acknowledged."""
        volume = shared.volume
        assert volume is not None
        one, home = volume.sets[index], shared.homes[index]
        reached = [b for b in one if (n := self.up(b)) and n.side == side]
        whole = [b for b in self.sources(volume, reached) if home <= self.believed(b)]
        majority = 2 * len(reached) > volume.replica
        if volume.replica == 2:
            return reached if whole else []
        return reached if majority and (whole or not volume.arbiter) else []

    def write(self, index: int, side: int) -> bool:
        shared = self.main
        if not shared or not shared.volume or not shared.volume.started:
            return False
        leaving = shared.volume.removal.bricks if shared.volume.removal else ()
        sets = [i for i, one in enumerate(shared.volume.sets) if one[0].id not in leaving]
        chosen = sets[index % len(sets)]
        taking = self._accepting(shared, chosen, self.busy_side() if shared.volume.replica == 2 else side)
        if taking:
            self.writes += 1
            self.acked.add(self.writes)
            shared.homes[chosen].add(self.writes)
            self._put(taking, self.writes)
        return bool(taking)

    def _put(self, bricks: Iterable[Brick], write: int) -> None:
        for brick in bricks:
            if (data := self.data(brick)) is not None:
                data.add(write)

    def blames(self, index: int, brick: Brick, other: Brick) -> bool:
        """`brick` knows of an entry that `other` of its set lacks."""
        shared = self.main
        assert shared
        return not (self.data(brick) or set()) & shared.homes[index] <= self.believed(other)

    def pending(self, index: int, brick: Brick) -> int:
        """Entries of which `brick` knows that another of its set lacks them."""
        shared = self.main
        assert shared
        assert shared.volume
        mine = (self.data(brick) or set()) & shared.homes[index]
        others = [self.believed(b) for b in shared.volume.sets[index] if b != brick]
        return len({w for w in mine if any(w not in other for other in others)})

    def heal(self, most: int) -> int:
        """The self-heal daemons copy up to so many entries; how many they copied."""
        shared, done = self.main, 0
        if not shared or not shared.volume:
            return 0
        for index, one in enumerate(shared.volume.sets):
            for source in self.sources(shared.volume, one):
                for target in one:
                    a, b = self.up(source), self.up(target)
                    if a is None or b is None or not self.reaches(a, b):
                        continue
                    for write in sorted(a.folders[source.path] & shared.homes[index] - self.believed(target)):
                        if done < most:
                            b.folders[target.path].add(write)
                            done += 1
        return done

    def move(self, count: int) -> None:
        """A removal or a rebalance that runs moves so many files."""
        shared = self.main
        volume = shared.volume if shared else None
        if shared is None or volume is None:
            return
        removal, rebalance = volume.removal, volume.rebalance
        leaving = removal.bricks if removal and removal.state is TaskState.RUNNING else ()
        spreads = rebalance is not None and rebalance.state is TaskState.RUNNING
        sets = range(len(volume.sets))
        origins = [i for i in sets if volume.sets[i][0].id in leaving] or (list(sets) if spreads else [])
        targets = [i for i in sets if volume.sets[i][0].id not in leaving]
        for origin in origins:
            for write in sorted(shared.homes[origin])[:count]:
                target = targets[write % len(targets)]
                if target != origin:
                    self._migrate(shared, write, origin, target)

    def _migrate(self, shared: Shared, write: int, origin: int, target: int) -> None:
        volume = shared.volume
        assert volume
        for source in self.sources(volume, volume.sets[origin]):
            node = self.up(source)
            if node is None or write not in node.folders[source.path]:
                continue
            if taking := self._accepting(shared, target, node.side):
                self._put(taking, write)
                shared.homes[origin].discard(write)
                shared.homes[target].add(write)
                return

    def end_tasks(self) -> bool:
        """glusterd's tasks come to their end; whether one did."""
        shared = self.main
        volume = shared.volume if shared else None
        if shared is None or volume is None:
            return False
        if volume.removal and volume.removal.state is TaskState.RUNNING:
            gone = volume.removal.bricks
            left = sum(len(h) for h, one in zip(shared.homes, volume.sets, strict=True) if one[0].id in gone)
            shared.left = left
            shared.volume = replace(volume, removal=replace(volume.removal, state=TaskState.DONE))
            return True
        if volume.rebalance and volume.rebalance.state is TaskState.RUNNING:
            shared.volume = replace(volume, rebalance=replace(volume.rebalance, state=TaskState.DONE))
            return True
        return False

    # -- what happens to machines

    def power_off(self, node: Node) -> None:
        node.powered = node.serves = False

    def start(self, node: Node) -> None:
        """Power back, or a new pod: all processes are others."""
        node.powered, node.caught_up, node.memory = True, False, Memory(LOOKS_APART)
        node.serves = False
        self.start_glusterd(node)

    def end_glusterd(self, node: Node) -> None:
        node.ending = node.glusterd = False
        node.knew = node.volume.bricks if node.volume else ()

    def start_glusterd(self, node: Node) -> None:
        """It learns the pool and starts its brick; anew, if the volume is another than it knew."""
        node.ending, node.glusterd, node.halfway = False, True, set()
        node.learned = node.learned or node.number in node.shared.peers
        changed = node.volume is not None and node.volume.bricks != node.knew
        node.caught_up = node.caught_up and node.serves and not changed
        before, node.serves = node.serves, bool(node.own_bricks) and not node.lost
        node.starts += node.serves and (changed or not before)

    def follow_orders(self, node: Node) -> bool:
        """The next that its daemon does for a sidecar that asked for another glusterd; False if nothing."""
        if node.powered and node.ending:
            self.end_glusterd(node)
        elif node.powered and not node.glusterd:
            self.start_glusterd(node)
        else:
            return False
        return True

    def may_lose_disk(self, node: Node) -> bool:
        """History leaves at least one copy of everything that lacks nothing, and blanks no disk before
        there is anything on it."""
        shared = self.main
        if shared is None or shared.volume is None or not shared.volume.started:
            return False
        for home, one in zip(shared.homes, shared.volume.sets, strict=True):
            if any(node_of(b) == node.number for b in one):
                others = [b for b in self.sources(shared.volume, one) if node_of(b) != node.number]
                if not any(home <= d for b in others if (d := self.data(b)) is not None):
                    return False
        return True

    def lose_disk(self, node: Node) -> None:
        node.believed, node.folders, node.serves = {**node.believed, **node.folders}, {}, False
        node.unmarked, node.removed = {}, set()
        node.shared, node.learned = Shared({node.number}), True

    def left(self, node: Node) -> dict[str, tuple[int, tuple[str, ...]]]:
        """What a walk through the folders on its disk would find, as `disk.walk`."""
        moved = self.acked - self.lost_writes()
        found = {p: len(d - moved if p in node.removed else d) for p, d in sorted(node.folders.items())}
        return {path: (count, ("a",) * min(count, 1)) for path, count in found.items()}

    def lost_writes(self) -> set[int]:
        """Acknowledged writes of which the volume has no copy any more."""
        shared = self.main
        if shared is None or shared.volume is None:
            return set(self.acked)
        found = set[int]()
        for home, one in zip(shared.homes, shared.volume.sets, strict=True):
            for brick in self.sources(shared.volume, one):
                found |= home & (self.data(brick) or set())
        return self.acked - found

    # -- what the actions do

    def apply(self, me: Node, step: do.Action) -> None:
        """Raises Refused where glusterd would refuse."""
        shared = me.shared
        match step:
            case do.ProbePeer(name):
                self._probe(me, name)
            case do.DetachPeer(name, force):
                self._detach(me, name, force)
            case do.CreateVolume(name, replica, bricks, arbiter):
                _must(shared.volume is None, "the volume exists")
                made = self._make(me, bricks)
                shared.volume = Volume(name, False, replica, made, arbiter)
                shared.homes = [set() for _ in shared.volume.sets]
            case do.RestartGlusterd():
                me.ending, me.restarted = True, self.now
            case _:
                volume = me.volume
                _must(volume is not None, "no volume")
                assert volume is not None
                self._change(me, shared, volume, step)

    def _change(self, me: Node, shared: Shared, volume: Volume, step: do.Action) -> None:
        spreads = volume.rebalance is not None and volume.rebalance.state is TaskState.RUNNING
        match step:
            case do.SetOption(_, key, value):
                shared.volume = replace(volume, options={**volume.options, key: value})
            case do.ResetOption(_, key):
                others = {name: value for name, value in volume.options.items() if name != key}
                shared.volume = replace(volume, options=others)
            case do.StartVolume():
                self._reach(me, volume.bricks)
                shared.volume = replace(volume, started=True)
                for brick in volume.bricks:
                    self.nodes[node_of(brick)].serves = True
                    self.nodes[node_of(brick)].starts += 1
            case do.AddBricks(_, bricks):
                _must(volume.removal is None and not spreads, "a task runs")
                _must(len(bricks) % volume.replica == 0, "half a set")
                shared.volume = replace(volume, bricks=volume.bricks + self._make(me, bricks))
                shared.homes += [set() for _ in range(len(bricks) // volume.replica)]
            case do.ReplaceBrick(_, old, new):
                _must(volume.removal is None and not spreads, "a task runs")
                (made,) = self._make(me, (new,))
                gone = self.nodes.get(node_of(old))
                now = tuple(made if b.id == old else b for b in volume.bricks)
                shared.volume = replace(volume, bricks=now)
                if not self._finds_a_source(shared.volume, made):
                    self.unmark(new)
                if gone is not None and node_of(old) != node_of(new):
                    gone.serves = False
            case do.StopRebalance():
                _must(spreads, "no rebalance runs")
                stopped = replace(volume.rebalance, state=TaskState.STOPPED) if volume.rebalance else None
                shared.volume = replace(volume, rebalance=stopped)
            case do.LaunchHeal():
                pass  # the heal daemons of this model do not wait to be told
            case do.StartRebalance():
                _must(volume.removal is None and not spreads, "a task runs")
                shared.volume = replace(volume, rebalance=self._task())
            case do.StartRemoval(_, leaving):
                _must(volume.removal is None and not spreads, "a task runs")
                _must(len(leaving) < len(volume.bricks), "nothing would be left")
                # A volume has one task: the last one's end is forgotten.
                shared.volume = replace(volume, removal=self._task(leaving), rebalance=None)
            case do.StopRemoval():
                shared.volume = replace(volume, removal=None)
            case do.CommitRemoval(_, leaving):
                _must(volume.removal is not None and volume.removal.state is TaskState.DONE, "it runs")
                stay = [i for i, one in enumerate(volume.sets) if one[0].id not in leaving]
                kept = tuple(b for i in stay for b in volume.sets[i])
                shared.homes = [shared.homes[i] for i in stay]
                for brick in set(volume.bricks) - set(kept):
                    if (node := self.nodes.get(node_of(brick))) is not None:
                        node.serves = False
                        node.removed.add(brick.path)
                shared.volume = replace(volume, bricks=kept, removal=None)
            case _:
                raise AssertionError(f"not of glusterd: {step}")

    def _task(self, bricks: tuple[str, ...] = ()) -> Task:
        self.tasks += 1
        return Task(f"task-{self.tasks}", TaskState.RUNNING, bricks)

    def _finds_a_source(self, volume: Volume, new: Brick) -> bool:
        """One whose glusterd is away is not found by a brick that is made in that moment: if it is the only
        good one, the new one takes itself for good (seen on 11.1)."""
        home, one = self._set_of(new.id)
        up = [b for b in self.sources(volume, one) if b != new and self.up(b)]
        whole = [b for b in up if home <= (self.data(b) or set())]
        return not whole or any(self.nodes[node_of(b)].glusterd for b in whole)

    def _reach(self, me: Node, bricks: Iterable[Brick]) -> None:
        there = {node.number: node for node in self.connected(me)}
        numbers = {node_of(brick) for brick in bricks}
        _must(numbers <= there.keys(), "a brick's node is not connected")
        _must(not any(numbers & node.halfway for node in there.values()), "a peer is halfway in the pool")

    def _make(self, me: Node, bricks: Iterable[str]) -> tuple[Brick, ...]:
        made = tuple(Brick(name, path) for name, _, path in (text.partition(":") for text in bricks))
        self._reach(me, made)
        volume = me.shared.volume
        for brick in made:
            node = self.nodes[node_of(brick)]
            _must(brick.path not in node.folders, "it has been a brick")
            _must(volume is None or brick.id not in {b.id for b in volume.bricks}, "it is a brick")
            node.folders[brick.path] = set()
            node.serves = bool(volume and volume.started)
            node.starts += node.serves
        return made

    def _probe(self, me: Node, name: str) -> None:
        other = self.nodes.get(node_of_host(name) or 0)
        _must(other is not None and self.linked(me, other), "it does not answer")
        assert other is not None
        if other.stranded and other.shared is me.shared:  # it knows who calls, and learns what is new
            me.shared.peers.add(other.number)
            other.learned = True
            return
        if me.number in other.shared.peers:  # a blank node that the pool knows asks to be let in again
            if me.shared is not other.shared:
                me.shared, me.learned = other.shared, False
            return
        _must(other.shared.volume is None, "it is part of another pool")
        _must(len(other.shared.peers) == 1, "it is part of another pool")
        _must(other.number not in me.shared.peers, "it is a peer")
        me.shared.peers.add(other.number)
        other.shared, other.learned = me.shared, True

    def _detach(self, me: Node, name: str, force: bool) -> None:
        number = node_of_host(name) or 0
        there = {node.number for node in self.connected(me)}
        volume = me.shared.volume
        _must(volume is None or all(b.host != name for b in volume.bricks), "it has a brick")
        if me.stranded:  # it is by itself already, and only it does not know
            me.shared = Shared({me.number})
            return
        _must(force or there | {number} == me.shared.peers, "another peer is not connected")
        me.shared.peers.discard(number)
        if number in there:
            self.nodes[number].shared = Shared({number})

    def pass_time(self, seconds: float) -> None:
        """In which daemons do what they were asked for."""
        self.now += timedelta(seconds=seconds)
        for node in self.nodes.values():
            while self.follow_orders(node):
                pass


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Refused(otherwise)
