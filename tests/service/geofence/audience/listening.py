"""What the audience topics say of an alert, and what is wrong with it."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from shared.events.audience import AudienceCompleted, AudienceResolved


@dataclass
class Audience:
    """What one alert version's audience topics say."""

    chunks: list[AudienceResolved]
    completed: list[AudienceCompleted]

    def members(self, *, late: bool | None = None) -> set[UUID]:
        """Return the members of all chunks, or of late or other ones alone."""
        return {
            who
            for chunk in self.chunks
            if late is None or chunk.late is late
            for who, _ in chunk.members()
        }

    def runs(self) -> list[UUID]:
        """Return the completed runs in order."""
        return [one.run_id for one in self.completed]


def whole_runs(audience: Audience) -> list[AudienceCompleted]:
    """Return the runs of which everything that they say they are has come."""
    found = []
    for run in audience.completed:
        chunks = [one for one in audience.chunks if one.run_id == run.run_id]
        members = {who for chunk in chunks for who, _ in chunk.members()}
        if {one.chunk for one in chunks} == set(range(run.chunks)) and len(members) == run.members:
            found.append(run)
    return found


def faults(audience: Audience, *, must: Collection[UUID], may: Collection[UUID]) -> list[str]:
    """Say what is wrong with an audience: who is lost, who is too many, who is told twice.

    Only what a run that is whole and the late joiners say counts as told: chunks of a run that
    died may have come, but nobody may depend on them.
    """
    found: list[str] = []
    # A chunk that came twice is one chunk: fan-out knows it by run and number.
    chunks = {(chunk.run_id, chunk.chunk): chunk for chunk in audience.chunks}
    runs: dict[UUID, list[UUID]] = {}
    late: list[UUID] = []
    for chunk in chunks.values():
        members = [who for who, _ in chunk.members()]
        (late if chunk.late else runs.setdefault(chunk.run_id, [])).extend(members)
    whole = whole_runs(audience)
    told = {*late, *(who for one in whole for who in runs.get(one.run_id, ()))}
    if not whole:
        found.append("no run is whole")
    if lost := set(must) - told:
        found.append(f"{len(lost)} lost")
    if strangers := audience.members() - set(may) - set(must):
        found.append(f"{len(strangers)} strangers")
    if any(len(members) > len(set(members)) for members in [late, *runs.values()]):
        found.append("somebody twice")
    return found
