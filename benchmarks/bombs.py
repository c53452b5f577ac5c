"""Bombs thrown at a real replica: each refused in a second, and everybody else served meanwhile."""

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import shapely

from benchmarks.hostile.bomb import PREVIEW, Bomb, area
from benchmarks.hostile.files import file_bombs, upload_bombs
from benchmarks.hostile.geometry import circle_bombs, count_bombs, crossing_bombs, number_bombs
from benchmarks.hostile.words import word_bombs
from benchmarks.places.crowd import make_crowd
from benchmarks.places.outlines import outlines
from benchmarks.places.roster import changes_a_second, publish_crowd
from benchmarks.replica import Replica, running_replica, servers_apart
from benchmarks.row import Row

THROWS = 3
LIMIT_S = 1.0
PAUSE_S = 0.02
# What has not been answered by then counts as not answered.
PATIENCE_S = 20.0
HARMLESS = area([{"type": "circle", "lon": -72.68, "lat": 41.76, "radius_m": 1_500}])


def measure(options: argparse.Namespace) -> list[Row]:
    """Throw every bomb at a replica that knows so many places; return a row each."""
    crowd = make_crowd(options.places)
    with servers_apart() as environment:
        publish_crowd(crowd, environment["CTALERT_KAFKA_BOOTSTRAP"])
        with running_replica(environment) as replica:
            changes_a_second(replica, len(crowd.ids))
            return list(_rows(replica))


def _rows(replica: Replica) -> Iterator[Row]:
    from ctalert.commands.token import make_token

    tokens = {
        role: make_token(role=role, subject="bench", lifetime_s=3_600)
        for role in ("manager", "admin")
    }
    _import_towns(replica, tokens["admin"])
    calm = Bystander(replica.another(), tokens["manager"])
    calm.ask()
    beside: list[float] = []
    answered = alive = thrown = 0
    for bomb in _bombs():
        slowest, wrong = 0.0, ""
        body = bomb.body()
        # Somebody else each time: how often one person may ask is not what is tried here.
        token = make_token(role=bomb.role, subject=bomb.name[:60], lifetime_s=3_600)
        for _ in range(THROWS):
            bystander = Bystander(replica.another(), tokens["manager"])
            with bystander:
                began = time.perf_counter()
                status = _throw(replica, bomb, body, token)
                slowest = max(slowest, time.perf_counter() - began)
            beside += bystander.seconds
            thrown += 1
            answered += status in bomb.statuses
            alive += not bystander.failed
            if status not in bomb.statuses:
                wrong = f", but the answer is {status}"
        sys.stderr.write(f"bombs: {slowest:6.3f} s  {status}  {bomb.name}{wrong}\n")
        yield Row(
            f"{bomb.name}: slowest answer, beside a second{wrong}",
            slowest,
            0.0 if wrong else LIMIT_S,
            "s",
            lower_is_better=True,
            goal=1.0,
        )
    yield Row("bombs answered as they have to be", answered, thrown, "bombs", goal=1.0)
    yield Row("bombs with the service serving others after them", alive, thrown, "bombs", goal=1.0)
    for name, figure in (
        ("median", statistics.median(beside)),
        ("99 %", statistics.quantiles(beside, n=100)[98]),
        ("slowest", max(beside)),
    ):
        yield Row(
            f"a harmless preview beside the bombs, {name}, beside one alone",
            figure * 1e3,
            statistics.median(calm.seconds) * 1e3,
            "ms",
            lower_is_better=True,
        )


def _bombs() -> Iterator[Bomb]:
    yield from crossing_bombs()
    yield from circle_bombs()
    yield from count_bombs()
    yield from number_bombs()
    yield from word_bombs()
    yield from file_bombs()
    yield from upload_bombs()


@dataclass
class Bystander:
    """Somebody who asks for a harmless preview again and again while a bomb goes off."""

    replica: Replica
    token: str
    seconds: list[float] = field(default_factory=list)
    failed: bool = False

    def __enter__(self) -> "Bystander":
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        # Once more when all is over: is the service there for others?
        self.ask(times=1)

    def ask(self, times: int = 21) -> None:
        """Ask some times over."""
        for _ in range(times):
            began = time.perf_counter()
            try:
                answer = self.replica.post(PREVIEW, HARMLESS, token=self.token)
                self.failed |= answer.status != 200
            except OSError:
                self.failed = True
            self.seconds.append(time.perf_counter() - began)

    def _go_on(self) -> None:
        while not self._stop.is_set():
            self.ask(times=1)
            self._stop.wait(PAUSE_S)


def _throw(replica: Replica, bomb: Bomb, body: bytes, token: str) -> int:
    """Return the status of the answer; 0 where none came."""
    thrower = replica.another(patience_s=PATIENCE_S)
    try:
        return thrower.post(
            bomb.path, body, token=token, media=bomb.media, headers=bomb.headers
        ).status
    except OSError as error:
        sys.stderr.write(f"bombs: {bomb.name}: {error!r}\n")
        return 0
    finally:
        thrower.hang_up()


def _import_towns(replica: Replica, token: str) -> None:
    features = [
        {
            "type": "Feature",
            "properties": {"geoid": code, "name": name},
            "geometry": shapely.geometry.mapping(geometry),
        }
        for code, (name, geometry) in outlines(None).towns.items()
    ]
    body = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    answer = replica.post("/v1/layers/town", body, token=token, media="application/geo+json")
    if answer.status != 201:
        raise RuntimeError(f"layer: {answer.status} {answer.body}")
