"""What a CAP message is once read: nodes that know their place, and the fields we use of them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias

from services.dispatcher.alerts.texts.blank import is_blank

MOST_FAULTS = 10
# CAP 1.2 orders both lists from the gravest down; Unknown is the weakest claim of all.
SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
URGENCIES = ("Immediate", "Expected", "Future", "Past", "Unknown")
CERTAINTIES = ("Observed", "Likely", "Possible", "Unlikely", "Unknown")


Place: TypeAlias = tuple[str, int]


class Fault(NamedTuple):
    """One thing wrong with a message: a code for programs, its place, a sentence for people."""

    code: str
    path: str
    line: int
    sentence: str


class Text(NamedTuple):
    """The text of one element, and whether a comment was hidden inside it."""

    text: str
    path: str
    line: int
    commented: bool = False

    @property
    def here(self) -> Place:
        """Return path and line."""
        return self.path, self.line


@dataclass(slots=True)
class Node:
    """One element with children: its texts and its nodes by name, in document order."""

    path: str
    line: int
    texts: dict[str, list[Text]] = field(default_factory=dict)
    nodes: dict[str, list["Node"]] = field(default_factory=dict)

    @property
    def here(self) -> Place:
        """Return path and line."""
        return self.path, self.line

    def text(self, name: str) -> str:
        """Return the stripped text of the first element of that name, empty where it is blank."""
        found = self.texts.get(name)
        return _seen(found[0].text) if found else ""

    def all_texts(self, name: str) -> list[str]:
        """Return the stripped texts of every element of that name that is not blank."""
        return [text for one in self.texts.get(name, ()) if (text := _seen(one.text))]

    def place(self, name: str) -> Place:
        """Return path and line of the first element of that name, or where it is missing."""
        found = self.texts.get(name)
        return (found[0].path, found[0].line) if found else (f"{self.path}/{name}", self.line)

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """Return (valueName, value) of every eventCode, parameter or geocode."""
        return [(one.text("valueName"), one.text("value")) for one in self.nodes.get(name, ())]


def _seen(text: str) -> str:
    return "" if is_blank(text) else text.strip()


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle: degrees WGS 84 and kilometres, as CAP writes it."""

    lat: float
    lon: float
    radius_km: float


@dataclass(frozen=True, slots=True)
class CapArea:
    """One area: closed rings of (lat, lon) in degrees WGS 84, circles, and geocodes."""

    described: str
    polygons: tuple[tuple[tuple[float, float], ...], ...]
    circles: tuple[Circle, ...]
    geocodes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CapInfo:
    """One language's words about the event."""

    node: Node
    language: str
    categories: tuple[str, ...]
    event: str
    urgency: str
    severity: str
    certainty: str
    effective: datetime | None
    expires: datetime | None
    sender_name: str
    headline: str
    description: str
    instruction: str
    areas: tuple[CapArea, ...]


@dataclass(frozen=True, slots=True)
class CapMessage:
    """A message that satisfies the grammar and the prose rules of CAP 1.2."""

    node: Node
    identifier: str
    sender: str
    sent: datetime
    status: str
    msg_type: str
    scope: str
    signed: bool
    infos: tuple[CapInfo, ...]


def read_time(text: str) -> datetime:
    """Return the moment a CAP time names; 24:00:00 is not one that Python can hold.

    Raises:
        ValueError: no such moment.
    """
    return datetime.fromisoformat(text.strip())


def read_polygon(text: str) -> tuple[tuple[float, float], ...]:
    """Return the (lat, lon) points of a polygon already found well-formed."""
    points = []
    for pair in text.split():
        lat, _, lon = pair.partition(",")
        points.append((float(lat), float(lon)))
    return tuple(points)


def read_circle(text: str) -> Circle:
    """Return the circle of a text already found well-formed."""
    centre, radius = text.split()
    lat, _, lon = centre.partition(",")
    return Circle(float(lat), float(lon), float(radius))


def _area(node: Node) -> CapArea:
    return CapArea(
        described=node.text("areaDesc"),
        polygons=tuple(read_polygon(one) for one in node.all_texts("polygon")),
        circles=tuple(read_circle(one) for one in node.all_texts("circle")),
        geocodes=tuple(node.pairs("geocode")),
    )


def _moment(node: Node, name: str) -> datetime | None:
    text = node.text(name)
    return read_time(text) if text else None


def _info(node: Node) -> CapInfo:
    return CapInfo(
        node=node,
        language=node.text("language") or "en-US",
        categories=tuple(node.all_texts("category")),
        event=node.text("event"),
        urgency=node.text("urgency"),
        severity=node.text("severity"),
        certainty=node.text("certainty"),
        effective=_moment(node, "effective"),
        expires=_moment(node, "expires"),
        sender_name=node.text("senderName"),
        headline=node.text("headline"),
        description=node.text("description"),
        instruction=node.text("instruction"),
        areas=tuple(_area(one) for one in node.nodes.get("area", ())),
    )


def read_fields(node: Node) -> CapMessage:
    """Return the fields of a message in which grammar and rules found no fault."""
    return CapMessage(
        node=node,
        identifier=node.text("identifier"),
        sender=node.text("sender"),
        sent=read_time(node.text("sent")),
        status=node.text("status"),
        msg_type=node.text("msgType"),
        scope=node.text("scope"),
        signed="Signature" in node.nodes,
        infos=tuple(_info(one) for one in node.nodes.get("info", ())),
    )
