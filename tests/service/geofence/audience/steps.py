"""The steps of a run as places where a test lets something happen."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.audience.resolve import Resolver
from services.geofence.audience.run import Publish
from services.geofence.index.tail import Roster
from services.geofence.index.view import View
from shared.bus.kafka.bus import Bus
from shared.events.audience import AudienceCompleted, AudienceResolved
from shared.events.base import Event
from shared.events.topics import Topic
from tests.service.geofence.world import World

Act = Callable[[], Awaitable[None]]

# Where something may happen: 1 registers, 2 reads V, 3 resolves, 5 says that it is complete.
STEPS = ("before 1", "between 1 and 2", "between 2 and 3", "in 3", "between 3 and 5", "after 5")


class Between(Bus):
    """The same bus for one resolver, that lets something happen just before or after V is read."""

    def __init__(self, bus: Bus, *, before: Act | None = None, after: Act | None = None) -> None:
        self._real = bus
        self._before, self._after = before, after
        self._looks = 0

    async def topic_id(self, topic: Topic) -> str:
        """Return the real identity."""
        return await self._real.topic_id(topic)

    async def end_offsets(self, topic: Topic) -> dict[int, int]:
        """Return the real end offsets; those before the registration come first, then V."""
        self._looks += 1
        is_v = self._looks % 2 == 0
        if is_v and self._before is not None:
            await self._before()
        offsets = await self._real.end_offsets(topic)
        if is_v and self._after is not None:
            await self._after()
        return offsets


class Lagging(Roster):
    """The same roster, as it was when it fell behind, until it catches up."""

    def __init__(self, roster: Roster) -> None:
        super().__init__()
        self._real = roster
        self._as_it_was = roster.view()
        self.caught_up = asyncio.Event()

    def view(self) -> View:
        """Return the index of then, or of now."""
        return self._real.view() if self.caught_up.is_set() else self._as_it_was

    async def reached(
        self, offsets: Mapping[int, int], *, topic_id: str, within_s: float | None
    ) -> bool:
        """Wait as long as asked for it to catch up."""
        try:
            async with asyncio.timeout(within_s):
                await self.caught_up.wait()
        except TimeoutError:
            return False
        return await self._real.reached(offsets, topic_id=topic_id, within_s=within_s)


class Steps:
    """Lets one thing happen, once, at one step of the runs of an alert."""

    def __init__(self, at: str, act: Act) -> None:
        self._at = at
        self._act: Act | None = act

    async def reach(self, step: str) -> None:
        """Let it happen if this is its step."""
        if step == self._at and self._act is not None:
            act, self._act = self._act, None
            await act()

    def resolver(self, world: World, *, patience_s: float = 5.0) -> Resolver:
        """Make a resolver that passes the steps of a run."""
        return world.resolver(
            bus=Between(
                world.bus,
                before=lambda: self.reach("between 1 and 2"),
                after=lambda: self.reach("between 2 and 3"),
            ),
            publish=self._publishing(world.publish()),
            patience_s=patience_s,
        )

    def _publishing(self, publish: Publish) -> Publish:
        async def passing(events: Sequence[Event]) -> None:
            if any(isinstance(event, AudienceCompleted) for event in events):
                await self.reach("between 3 and 5")
            await publish(events)
            if any(isinstance(event, AudienceResolved) for event in events):
                await self.reach("in 3")

        return passing


async def settled(resolver: Resolver) -> None:
    """Return when no early run of a resolver is under way any more, however it ended."""
    await asyncio.gather(*resolver._early.values(), return_exceptions=True)


def square(number: int) -> tuple[BaseGeometry, tuple[float, float]]:
    """Return an area that no other number has, and a spot in it."""
    west, south = -73.0 + number % 10 * 0.02, 41.3 + number // 10 * 0.02
    return shapely.box(west, south, west + 0.01, south + 0.01), (west + 0.005, south + 0.005)
