"""The demo's CAP 1.2 message: its own words, or those of a real message, dated now."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from lxml import etree

from shared.clock import cap_time

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
SENDER = "weather@demo.example.org"
# Speaks on whatever the message is about; of the demo, whose message may be anybody's.
ANY_SENDER = "anything@demo.example.org"
# The corridor from New Haven to Hartford, (lat, lon) as CAP writes it.
STORM = (
    (41.23, -73.02), (41.38, -73.05), (41.62, -72.86), (41.86, -72.80),
    (41.86, -72.58), (41.60, -72.55), (41.33, -72.78), (41.23, -72.88), (41.23, -73.02),
)  # fmt: skip
WORDS = (
    {
        "language": "en-US", "event": "Tornado Warning",
        "headline": "Tornado warning between New Haven and Hartford",
        "description": "A tornado was seen near Meriden, moving north at 30 mph.",
        "instruction": "Take cover now in a basement or an inner room on the lowest floor.",
    },
    {
        "language": "es-US", "event": "Aviso de tornado",
        "headline": "Aviso de tornado entre New Haven y Hartford",
        "description": "Se vio un tornado cerca de Meriden; avanza hacia el norte a 50 km/h.",
        "instruction": "Protéjase ahora en un sótano o en un cuarto interior del piso más bajo.",
    },
)  # fmt: skip
DEFAULTS = {"category": "Met", "urgency": "Immediate", "severity": "Extreme",
            "certainty": "Observed"}  # fmt: skip
Ring = Sequence[tuple[float, float]]


class NoWords(Exception):
    """A file is no CAP message with words to send; the text goes on after the file's name."""


def compose(
    *, now: datetime, words: Iterable[dict[str, str]] = WORDS, rings: Sequence[Ring] = (STORM,),
    described: str = "New Haven, Meriden and Hartford", sender: str = SENDER,
) -> bytes:  # fmt: skip
    """Return a CAP message, Actual and Alert, dated now and good for half an hour.

    rings: closed outlines of (lat, lon) in degrees WGS 84; their union is the area.
    """
    alert = etree.Element(f"{{{CAP}}}alert", nsmap={None: CAP})  # type: ignore[dict-item]  # the stubs know no default namespace
    _put(alert, "identifier", f"DEMO-{now:%Y%m%dT%H%M%S.%f}")
    _put(alert, "sender", sender)
    _put(alert, "sent", cap_time(now))
    for name, value in (("status", "Actual"), ("msgType", "Alert"), ("scope", "Public")):
        _put(alert, name, value)
    for word in words:
        info = etree.SubElement(alert, f"{{{CAP}}}info")
        for name in ("language", "category", "event", "urgency", "severity", "certainty"):
            _put(info, name, word.get(name) or DEFAULTS[name])
        _put(info, "expires", cap_time(now + timedelta(minutes=30)))
        for name in ("senderName", "headline", "description", "instruction"):
            if word.get(name):
                _put(info, name, word[name])
        area = etree.SubElement(info, f"{{{CAP}}}area")
        _put(area, "areaDesc", described)
        for ring in rings:
            _put(area, "polygon", " ".join(f"{lat:.6f},{lon:.6f}" for lat, lon in ring))
    return bytes(etree.tostring(alert, xml_declaration=True, encoding="UTF-8"))


def read_words(path: Path) -> list[dict[str, str]]:
    """Return the words of a CAP message, the first info of each language.

    Raises:
        NoWords: it is no XML, or has no `<info>` of CAP 1.2, or an `<info>` without an event.
        OSError: the file cannot be read.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(path.read_bytes(), parser)
    except etree.XMLSyntaxError as error:
        raise NoWords(f"is no XML: {error}") from None
    words: dict[str, dict[str, str]] = {}
    for info in root.iterfind(f"{{{CAP}}}info"):
        texts = {
            etree.QName(part).localname: re.sub(r"\s+", " ", part.text or "").strip()
            for part in reversed(list(info.iterchildren(etree.Element)))
        }
        texts["language"] = texts.get("language") or "en-US"
        if not texts.get("event"):
            raise NoWords("has an <info> without an <event>")
        words.setdefault(texts["language"], texts)
    if not words:
        raise NoWords("is no CAP 1.2 message with an <info>")
    return list(words.values())


def _put(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, f"{{{CAP}}}{name}").text = text
