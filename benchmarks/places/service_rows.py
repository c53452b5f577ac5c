"""Rows of a real replica over the whole crowd: roster to index, previews, alerts to audiences."""

import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import psutil
import shapely
from shapely.geometry.base import BaseGeometry

from benchmarks.places.alerts import resolve
from benchmarks.places.areas import Area
from benchmarks.places.crowd import Crowd
from benchmarks.places.outlines import Outlines
from benchmarks.places.roster import changes_a_second, publish_crowd
from benchmarks.replica import Replica, running_replica, servers_apart
from benchmarks.row import Row

PREVIEWS = 11
PREVIEW_MS, FIRST_CHUNK_MS = 100.0, 50.0
CHANGES_A_SECOND, IDS_A_SECOND = 50_000, 500_000
MEGA = 1e6


def service_rows(
    crowd: Crowd, areas: Mapping[str, Area], drawn: Outlines, *, everybody: int
) -> Iterator[Row]:
    """Yield what a replica does over real Kafka; `everybody` are the people in the state."""
    with servers_apart() as environment:
        publish_crowd(crowd, environment["CTALERT_KAFKA_BOOTSTRAP"])
        with running_replica(environment) as replica:
            sys.stderr.write("geofence: a replica reads the roster\n")
            rate = changes_a_second(replica, len(crowd.ids))
            yield Row(
                "roster topic to index, changes a second, beside the goal of 50,000",
                rate,
                CHANGES_A_SECOND,
                "1/s",
                goal=1.0,
            )
            held = psutil.Process(replica.pid).memory_info().rss / MEGA
            yield Row("memory of a whole replica", held, 0.0,
                      "MB", lower_is_better=True)  # fmt: skip
            sys.stderr.write("geofence: previews\n")
            yield from _previews(replica, areas, drawn)
            sys.stderr.write("geofence: alerts\n")
            yield from _alerts(areas, environment, everybody)


def _previews(replica: Replica, areas: Mapping[str, Area], drawn: Outlines) -> Iterator[Row]:
    from ctalert.commands.token import make_token

    admin = make_token(role="admin", subject="bench", lifetime_s=3_600)
    manager = make_token(role="manager", subject="bench", lifetime_s=3_600)
    towns = [(code, name, geometry) for code, (name, geometry) in drawn.towns.items()]
    _import(replica, "town", towns, admin)
    _import(replica, "county", [("09009", "New Haven", areas["county"].geometry)], admin)
    county = {"type": "feature", "kind": "county", "code": "09009"}
    storm = {
        "type": "geojson",
        "geometry": shapely.geometry.mapping(areas["storm"].geometry),
    }
    for name, shape, goal in (("county", county, 1.0), ("storm", storm, None)):
        body = json.dumps({"area": {"include": [shape]}}).encode()
        milliseconds = []
        for _ in range(PREVIEWS + 1):
            began = time.perf_counter()
            answer = replica.post("/v1/areas/preview", body, token=manager)
            milliseconds.append((time.perf_counter() - began) * 1e3)
            if answer.status != 200:
                raise RuntimeError(f"preview: {answer.status} {answer.body}")
        yield Row(
            f"{name}: previewed over HTTP, beside the goal of 100 ms",
            statistics.median(milliseconds[1:]),
            PREVIEW_MS,
            "ms",
            lower_is_better=True,
            goal=goal,
        )


def _import(
    replica: Replica, kind: str, features: list[tuple[str, str, BaseGeometry]], token: str
) -> None:
    members: list[dict[str, Any]] = [
        {
            "type": "Feature",
            "properties": {"geoid": code, "name": name},
            "geometry": shapely.geometry.mapping(geometry),
        }
        for code, name, geometry in features
    ]
    body = json.dumps({"type": "FeatureCollection", "features": members}).encode()
    answer = replica.post(f"/v1/layers/{kind}", body, token=token, media="application/geo+json")
    if answer.status != 201:
        raise RuntimeError(f"layer {kind}: {answer.status} {answer.body}")


def _alerts(
    areas: Mapping[str, Area], environment: Mapping[str, str], everybody: int
) -> Iterator[Row]:
    town, state = resolve(areas["town"], environment), resolve(areas["state"], environment)
    for name, found in (("town", town), ("state", state)):
        yield Row(
            f"{name}: approved alert to first chunk, beside the goal of 50 ms",
            found.first_s * 1e3,
            FIRST_CHUNK_MS,
            "ms",
            lower_is_better=True,
            goal=1.0,
        )
    yield Row(
        "state: ids published a second, beside the goal of 500,000",
        state.ids_a_second,
        IDS_A_SECOND,
        "1/s",
        goal=1.0,
    )
    # Neither fewer nor more.
    yield Row(
        "state: people published, beside those the index names",
        everybody - abs(everybody - state.members),
        everybody,
        "people",
        goal=1.0,
    )
