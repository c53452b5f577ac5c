"""What we ask of a valid CAP message before it may become an alert here."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from services.dispatcher.alerts.content import MOST_LANGUAGES, ContentRefused, clean
from services.dispatcher.alerts.texts.wording import is_spoken
from services.dispatcher.cap.geocodes import GeocodeRefused, Geocodes
from services.dispatcher.cap.message import (
    CERTAINTIES,
    SEVERITIES,
    URGENCIES,
    CapArea,
    CapInfo,
    CapMessage,
    Circle,
    Node,
    Place,
)
from shared.connecticut.bounds import is_swapped

LONGEST_NAME = 200
MOST_POLYGONS = 100
MOST_PARAMETERS = 100
LATE, AHEAD = timedelta(minutes=15), timedelta(minutes=2)
LONGEST_LIFE = timedelta(hours=24)
SOONEST = timedelta(minutes=1)
_TAG = re.compile(r"<[A-Za-z!/?]")
_STATUSES = {
    "Exercise": "Exercises are not taken from partners yet.",
    "Test": "Tests are not taken yet: a test must never reach a live provider.",
    "System": "System messages are between systems, not for residents.",
    "Draft": "A draft is not for sending.",
}
_MESSAGES = {
    "Update": "Updates are not taken yet: cancel the alert in the console and post a new one.",
    "Cancel": "Cancels are not taken yet: cancel the alert in the console.",
    "Ack": "Acknowledgements are not taken.",
    "Error": "Error messages are not taken.",
}


class PolicyRefused(Exception):
    """A valid message we do not take: an HTTP status, a code, a sentence, and its place."""

    def __init__(
        self, status: int, code: str, sentence: str, path: str = "", line: int = 0
    ) -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence = status, code, sentence
        self.path, self.line = path, line


@dataclass(slots=True)
class Accepted:
    """What a message asks for here: one info a language, one area, one time, notes for people.

    `places` are path and line of what is drawn, which comes first in `shapes`; `beside` the
    geocodes that shapes stand for.
    `unknown` are geocodes of schemes that nobody here knows: with any, the message is held.
    """

    infos: list[CapInfo]
    shapes: list[dict[str, Any]]
    places: list[Place]
    beside: list[dict[str, Any]]
    unknown: list[str]
    expires: datetime
    categories: list[str]
    severity: str
    urgency: str
    certainty: str
    emergency: bool
    notes: list[str] = field(default_factory=list)


def check_kind(message: CapMessage) -> None:
    """Accept an Actual Alert; every other status and message type is refused by its name (C4, C5).

    Raises:
        PolicyRefused: it is another.
    """
    for name, value, refusals in (
        ("status", message.status, _STATUSES),
        ("msgType", message.msg_type, _MESSAGES),
    ):
        if value in refusals:
            path, line = message.node.place(name)
            code = f"{name.lower()}-{value.lower()}-not-taken"
            raise PolicyRefused(422, code, refusals[value], path, line)
    if max(len(message.identifier), len(message.sender)) > LONGEST_NAME:
        path, line = message.node.place("identifier")
        sentence = f"<identifier> and <sender> have at most {LONGEST_NAME} characters."
        raise PolicyRefused(422, "name-too-long", sentence, path, line)


def check_policy(message: CapMessage, *, now: datetime) -> Accepted:
    """Return what the message asks for.

    Raises:
        PolicyRefused: it is from the future or expired, says nothing, or no usable area.
    """
    _check_scope(message)
    _check_sent(message, now)
    infos, notes = _one_a_language(message)
    for info in message.infos:
        _check_texts(info)
    expires = _expiry(message, now, notes)
    asked = _ask(message, notes)
    if now - message.sent > LATE:
        notes.append(f"came {int((now - message.sent).total_seconds() // 60)} minutes late")
    if message.signed:
        notes.append("carries a signature that was not checked")
    severity = min((one.severity for one in infos), key=SEVERITIES.index)
    urgency = min((one.urgency for one in infos), key=URGENCIES.index)
    return Accepted(
        infos=infos,
        shapes=[*(shape for shape, _ in asked.drawn.values()), *asked.codes.shapes],
        places=[place for _, place in asked.drawn.values()],
        beside=[one for one in asked.beside.all if one not in asked.codes.shapes],
        unknown=list(dict.fromkeys([*asked.codes.unknown, *asked.beside.unknown])),
        expires=expires,
        categories=list(dict.fromkeys(name for one in infos for name in one.categories)),
        severity=severity,
        urgency=urgency,
        certainty=min((one.certainty for one in infos), key=CERTAINTIES.index),
        emergency=severity in ("Extreme", "Severe") and urgency in ("Immediate", "Expected"),
        notes=notes,
    )


def _check_scope(message: CapMessage) -> None:
    if message.scope != "Public":
        path, line = message.node.place("scope")
        sentence = "What goes to residents must be Public."
        raise PolicyRefused(422, f"scope-{message.scope.lower()}-not-taken", sentence, path, line)


def _check_sent(message: CapMessage, now: datetime) -> None:
    if message.sent > now + AHEAD:
        path, line = message.node.place("sent")
        raise PolicyRefused(422, "sent-in-future", "<sent> lies in the future.", path, line)


def _one_a_language(message: CapMessage) -> tuple[list[CapInfo], list[str]]:
    path, line = message.node.path, message.node.line
    if not message.infos:
        raise PolicyRefused(422, "info-required", "An alert needs an <info>.", path, line)
    if len(message.infos) > MOST_LANGUAGES:
        sentence = f"At most {MOST_LANGUAGES} <info> are taken."
        raise PolicyRefused(422, "too-many-infos", sentence, path, line)
    chosen: dict[str, CapInfo] = {}
    notes: list[str] = []
    for info in message.infos:
        earlier = chosen.setdefault(info.language, info)
        if earlier is info:
            continue
        if earlier.areas != info.areas:
            sentence = "Two <info> of one language must not differ in their areas."
            raise PolicyRefused(422, "language-twice", sentence, info.node.path, info.node.line)
        notes.append(f"has several infos in {info.language}; the gravest is used")
        chosen[info.language] = min(earlier, info, key=lambda one: SEVERITIES.index(one.severity))
    if not any(is_spoken(language) for language in chosen):
        sentence = "None of its languages is spoken here."
        raise PolicyRefused(422, "language-not-spoken", sentence, path, line)
    return list(chosen.values()), notes


def _check_texts(info: CapInfo) -> None:
    node = info.node
    for name in ("event", "headline", "description", "instruction", "senderName"):
        text = node.text(name)
        path, line = node.place(name)
        if _TAG.search(text):
            raise PolicyRefused(422, "markup", f"<{name}> must be plain text.", path, line)
        try:
            clean(text, path)
        except ContentRefused as refused:
            raise PolicyRefused(422, refused.code, refused.sentence, path, line) from None
    if len(node.nodes.get("parameter", ())) > MOST_PARAMETERS:
        sentence = f"At most {MOST_PARAMETERS} <parameter> are taken."
        raise PolicyRefused(422, "too-many-parameters", sentence, node.path, node.line)
    for resource in node.nodes.get("resource", ()):
        uri = resource.text("uri")
        path, line = resource.place("uri")
        if uri and not _is_public(uri):
            raise PolicyRefused(422, "unsafe-address", "<uri> is no public page.", path, line)


def _is_public(uri: str) -> bool:
    """Tell whether an address is on the web by a name; it is kept as text and never fetched."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    if not parts.scheme:
        return True
    host = parts.hostname or ""
    named = any(letter.isalpha() for letter in host.rpartition(".")[2]) and ":" not in host
    return parts.scheme in ("http", "https") and named and host != "localhost"


def _expiry(message: CapMessage, now: datetime, notes: list[str]) -> datetime:
    times = []
    for info in message.infos:
        path, line = info.node.place("expires")
        if info.expires is None:
            raise PolicyRefused(422, "expires-required", "<expires> is required.", path, line)
        if info.expires <= (info.effective or message.sent):
            sentence = "<expires> must be after <effective>."
            raise PolicyRefused(422, "expires-before-effective", sentence, path, line)
        if info.expires < now + SOONEST:
            raise PolicyRefused(422, "expired", "The message has expired.", path, line)
        times.append(info.expires)
    if min(times) > now + LONGEST_LIFE:
        notes.append("is shortened to 24 hours")
    return min(*times, now + LONGEST_LIFE)


@dataclass(slots=True)
class _Asked:
    """The shapes of all areas, which are united, and their geocodes, alone and beside shapes."""

    drawn: dict[tuple[Any, ...], tuple[dict[str, Any], Place]] = field(default_factory=dict)
    codes: Geocodes = field(default_factory=Geocodes)
    beside: Geocodes = field(default_factory=Geocodes)

    def add(self, area: CapArea, node: Node) -> None:
        """Take one area; where it has shapes, its codes stand beside them (decision 0009)."""
        _check_order(area, node.here)
        for ring, text in zip(area.polygons, node.texts.get("polygon", ()), strict=True):
            self.drawn.setdefault(ring, (_polygon(ring), text.here))
        for circle, text in zip(area.circles, node.texts.get("circle", ()), strict=True):
            if circle.radius_km <= 0:
                sentence = "A radius of nothing warns nobody."
                raise PolicyRefused(422, "circle-radius", sentence, *node.here)
            self.drawn.setdefault(
                (circle.lon, circle.lat, circle.radius_km), (_circle(circle), text.here)
            )
        if not (area.polygons or area.circles or area.geocodes):
            sentence = "An <areaDesc> alone names no area to act on."
            raise PolicyRefused(422, "area-required", sentence, *node.here)
        try:
            (self.beside if area.polygons or area.circles else self.codes).add(area.geocodes)
        except GeocodeRefused as refused:
            raise PolicyRefused(
                refused.status, refused.code, refused.sentence, *node.here
            ) from None


def _ask(message: CapMessage, notes: list[str]) -> _Asked:
    asked = _Asked()
    for info in message.infos:
        for area, node in zip(info.areas, info.node.nodes.get("area", ()), strict=True):
            asked.add(area, node)
    if sum(shape["type"] == "geojson" for shape, _ in asked.drawn.values()) > MOST_POLYGONS:
        raise PolicyRefused(413, "too-complex", f"At most {MOST_POLYGONS} polygons are taken.")
    if asked.beside.shapes or asked.beside.others:
        notes.append("has geocodes beside shapes; the shapes are used")
    if len({one.areas for one in message.infos}) > 1:
        notes.append("has areas that differ between its infos; all are used")
    notes[:] = dict.fromkeys(notes)
    if not (asked.drawn or asked.codes.shapes or asked.codes.others):
        sentence = "The alert needs an <area> with a polygon, a circle or a known geocode."
        raise PolicyRefused(422, "area-required", sentence, message.node.path, message.node.line)
    return asked


def _check_order(area: CapArea, place: Place) -> None:
    points: Iterable[tuple[float, float]] = (
        *(point for ring in area.polygons for point in ring),
        *((one.lat, one.lon) for one in area.circles),
    )
    if any(is_swapped(lon, lat) for lat, lon in points):
        sentence = "These points lie here only with their numbers swapped: CAP writes lat,lon."
        raise PolicyRefused(422, "lat-lon-swapped", sentence, *place)


def _polygon(ring: tuple[tuple[float, float], ...]) -> dict[str, Any]:
    coordinates = [[[lon, lat] for lat, lon in ring]]
    return {"type": "geojson", "geometry": {"type": "Polygon", "coordinates": coordinates}}


def _circle(circle: Circle) -> dict[str, Any]:
    radius_m = circle.radius_km * 1000
    return {"type": "circle", "lon": circle.lon, "lat": circle.lat, "radius_m": radius_m}
