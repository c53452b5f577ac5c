"""The rules of CAP 1.2's prose that its schema cannot hold."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC

from services.dispatcher.cap.lexical import is_time
from services.dispatcher.cap.message import MOST_FAULTS, Fault, Node, Text, read_polygon, read_time

_NAME = re.compile(r"[^\s,<&]+")
# Each digit has one place in it only: a long number is read, or refused, in one pass.
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PAIRS = re.compile(rf"\s*{_NUMBER},{_NUMBER}(?:\s+{_NUMBER},{_NUMBER})*\s*")
_CIRCLE = re.compile(rf"\s*({_NUMBER}),({_NUMBER})\s+({_NUMBER})\s*")
_UNSAFE_WEB = re.compile(r"\s*(?:javascript|data|vbscript|file)\s*:", re.IGNORECASE)
# Comments inside these could show a reader another name than the one we act on.
_BARE = ("identifier", "sender", "sent", "references")
FEWEST_POINTS = 4


def check_rules(alert: Node) -> list[Fault]:
    """Return at most ten faults against the prose of OASIS CAP 1.2 §3.2."""
    faults: list[Fault] = []
    for group in (_alert_rules(alert), _info_rules(alert)):
        for fault in group:
            faults.append(fault)
            if len(faults) == MOST_FAULTS:
                return faults
    return faults


def _alert_rules(alert: Node) -> Iterator[Fault]:
    for name in _BARE:
        for one in alert.texts.get(name, ()):
            if one.commented:
                yield _fault("comment-inside", one, f"No comment may stand inside <{name}>.")
    for name in ("identifier", "sender"):
        one = alert.texts[name][0]
        if not _NAME.fullmatch(one.text) or not alert.text(name):
            yield _fault("name", one,
                         f"<{name}> must hold no spaces, commas, < or &.")  # fmt: skip
    yield from _times(alert, ("sent",))
    scope = alert.text("scope")
    if scope == "Restricted" and not alert.text("restriction"):
        yield _lacking(alert, "restriction", "A Restricted message must state its <restriction>.")
    if scope == "Private" and not alert.text("addresses"):
        yield _lacking(alert, "addresses", "A Private message must list its <addresses>.")
    yield from _reference_rules(alert)


def _reference_rules(alert: Node) -> Iterator[Fault]:
    references = alert.text("references")
    if alert.text("msgType") in ("Update", "Cancel", "Ack", "Error") and not references:
        yield _lacking(alert, "references", "Such a message says in <references> what it is on.")
    for reference in references.split():
        parts = reference.split(",")
        if len(parts) != 3 or not all(parts) or not is_time(parts[2]):
            yield _fault("reference", alert.texts["references"][0],
                         "Each reference is sender,identifier,sent.")  # fmt: skip
            break


def _info_rules(alert: Node) -> Iterator[Fault]:
    for info in alert.nodes.get("info", ()):
        yield from _times(info, ("effective", "onset", "expires"))
        if not info.text("event"):
            yield _lacking(info, "event", "<event> must not be empty.")
        for one in info.texts.get("web", ()):
            if _UNSAFE_WEB.match(one.text):
                yield _fault("unsafe-address", one, "<web> must be the address of a page.")
        for area in info.nodes.get("area", ()):
            yield from _area_rules(area)


def _area_rules(area: Node) -> Iterator[Fault]:
    for one in area.texts.get("polygon", ()):
        yield from _polygon_rules(one)
    for one in area.texts.get("circle", ()):
        yield from _circle_rules(one)
    if "ceiling" in area.texts:
        if "altitude" not in area.texts:
            yield _lacking(area, "altitude", "<ceiling> needs an <altitude>.")
        elif float(area.text("altitude")) > float(area.text("ceiling")):
            yield _fault("altitude", area.texts["altitude"][0], "<altitude> is above <ceiling>.")


def _polygon_rules(one: Text) -> Iterator[Fault]:
    if not _PAIRS.fullmatch(one.text):
        yield _fault("polygon", one, "A <polygon> is pairs lat,lon with blanks between the pairs.")
        return
    points = read_polygon(one.text)
    if len(points) < FEWEST_POINTS:
        yield _fault("polygon-short", one, "A <polygon> has at least four pairs.")
    elif points[0] != points[-1]:
        yield _fault("polygon-open", one, "The first and last pair of a <polygon> are the same.")
    yield from _range(one, points)


def _circle_rules(one: Text) -> Iterator[Fault]:
    found = _CIRCLE.fullmatch(one.text)
    if found is None:
        yield _fault("circle", one, "A <circle> is lat,lon, a space and a radius in kilometres.")
        return
    lat, lon, radius = map(float, found.groups())
    if radius < 0:
        yield _fault("circle-radius", one, "A radius is not negative.")
    yield from _range(one, ((lat, lon),))


def _range(one: Text, points: Iterable[tuple[float, float]]) -> Iterator[Fault]:
    for lat, lon in points:
        if abs(lat) > 90 or abs(lon) > 180:
            hint = "; CAP writes lat,lon" if abs(lon) <= 90 else ""
            yield _fault("out-of-range", one, f"No such place on Earth{hint}.")
            return


def _times(node: Node, names: Iterable[str]) -> Iterator[Fault]:
    for name in names:
        for one in node.texts.get(name, ()):
            # The schema takes 24:00:00 for the end of a day; no clock of ours shows it.
            if "T24:" in one.text:
                yield _fault("time", one, "Midnight is 00:00:00 of the next day.")
            elif not _is_on_calendar(one.text):
                yield _fault("time", one, "In UTC no calendar has this time.")


def _is_on_calendar(time: str) -> bool:
    try:
        read_time(time).astimezone(UTC)
    except OverflowError:
        return False
    return True


def _fault(code: str, one: Text, sentence: str) -> Fault:
    return Fault(code, one.path, one.line, sentence)


def _lacking(node: Node, name: str, sentence: str) -> Fault:
    path, line = node.place(name)
    return Fault("missing-" + name, path, line, sentence)
