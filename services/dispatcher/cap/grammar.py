"""CAP 1.2's grammar as our own table: element, order, how often, type, allowed values.

Written from OASIS CAP 1.2 §3.2 and proved against the official schema where its file is at hand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from services.dispatcher.cap.lexical import (
    BLANKS,
    Check,
    is_decimal,
    is_integer,
    is_language,
    is_text,
    is_time,
    is_uri,
)
from services.dispatcher.cap.message import (
    CERTAINTIES,
    MOST_FAULTS,
    SEVERITIES,
    URGENCIES,
    Fault,
    Node,
    Text,
)

CAP: Final = "urn:oasis:names:tc:emergency:cap:1.2"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
_CAP_TAG = f"{{{CAP}}}"
_DSIG_TAG = f"{{{DSIG}}}"
_KNOWN_INSIDE = {_CAP_TAG + name for name in ("alert", "value", "valueName")}
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
# The longest name of an element that a fault repeats.
LONGEST_STEP: Final = 60
_HARMLESS = {f"{_XSI}schemaLocation", f"{_XSI}noNamespaceSchemaLocation"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of text: how to check it, and what a fault in it is called."""

    check: Check
    code: str
    wanted: str
    values: frozenset[str] = frozenset()


STRING = Kind(is_text, "text", "text")
TIME = Kind(is_time, "time", "a time like 2026-01-31T16:05:00-05:00, with offset and without Z")
LANGUAGE = Kind(is_language, "language", "a language tag like en-US")
URI = Kind(is_uri, "uri", "an address")
INTEGER = Kind(is_integer, "integer", "a whole number")
DECIMAL = Kind(is_decimal, "decimal", "a decimal number")


def _listed(*values: str) -> Kind:
    allowed = frozenset(values)
    return Kind(allowed.__contains__, "not-listed", f"one of {', '.join(values)}", allowed)


class Element:
    """One row of the table: a name, how often it may come, and its type or its children."""

    __slots__ = ("children", "kind", "least", "many", "name", "places", "wildcard")

    def __init__(
        self,
        name: str,
        kind: Kind = STRING,
        *,
        least: int = 1,
        many: bool = False,
        children: Sequence["Element"] = (),
        wildcard: bool = False,
    ) -> None:
        self.name, self.kind, self.least, self.many = name, kind, least, many
        self.children, self.wildcard = tuple(children), wildcard
        self.places = {_CAP_TAG + one.name: at for at, one in enumerate(self.children)}


def _may(name: str, kind: Kind = STRING) -> Element:
    return Element(name, kind, least=0)


def _any(name: str, kind: Kind = STRING, children: Sequence[Element] = ()) -> Element:
    return Element(name, kind, least=0, many=True, children=children)


_PAIR = (Element("valueName"), Element("value"))
AREA = _any("area", children=(
    Element("areaDesc"), _any("polygon"), _any("circle"), _any("geocode", children=_PAIR),
    _may("altitude", DECIMAL), _may("ceiling", DECIMAL),
))  # fmt: skip
RESOURCE = _any("resource", children=(
    Element("resourceDesc"), Element("mimeType"), _may("size", INTEGER), _may("uri", URI),
    _may("derefUri"), _may("digest"),
))  # fmt: skip
INFO = _any("info", children=(
    _may("language", LANGUAGE),
    Element("category", _listed("Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health",
                                "Env", "Transport", "Infra", "CBRNE", "Other"), many=True),
    Element("event"),
    _any("responseType", _listed("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor",
                                 "Assess", "AllClear", "None")),
    Element("urgency", _listed(*URGENCIES)),
    Element("severity", _listed(*SEVERITIES)),
    Element("certainty", _listed(*CERTAINTIES)),
    _may("audience"), _any("eventCode", children=_PAIR),
    _may("effective", TIME), _may("onset", TIME), _may("expires", TIME),
    _may("senderName"), _may("headline"), _may("description"), _may("instruction"),
    _may("web", URI), _may("contact"), _any("parameter", children=_PAIR), RESOURCE, AREA,
))  # fmt: skip
ALERT = Element("alert", wildcard=True, children=(
    Element("identifier"), Element("sender"), Element("sent", TIME),
    Element("status", _listed("Actual", "Exercise", "System", "Test", "Draft")),
    Element("msgType", _listed("Alert", "Update", "Cancel", "Ack", "Error")),
    _may("source"),
    Element("scope", _listed("Public", "Restricted", "Private")),
    _may("restriction"), _may("addresses"), _any("code"), _may("note"), _may("references"),
    _may("incidents"), INFO,
))  # fmt: skip


def check_grammar(root: etree._Element) -> tuple[Node, list[Fault]]:
    """Walk the message by the table; return its nodes and at most ten faults."""
    faults: list[Fault] = []
    node = Node("/alert", _line(root))
    if root.tag != _CAP_TAG + "alert":
        name = etree.QName(root)
        code = "root" if name.namespace == CAP else "namespace"
        sentence = f"The root must be <alert> in the namespace {CAP}."
        return node, [Fault(code, f"/{name.localname[:LONGEST_STEP]}", node.line, sentence)]
    _walk(root, ALERT, node, faults)
    return node, faults[:MOST_FAULTS]


def _walk(element: etree._Element, rule: Element, node: Node, faults: list[Fault]) -> None:
    if element.attrib:
        _check_attributes(element, node.path, faults)
    if element.text and element.text.strip(BLANKS):
        faults.append(_stray_text(node))
    at, counts = 0, [0] * len(rule.children)
    for child in element:
        tag = child.tag
        if child.tail and child.tail.strip(BLANKS):
            faults.append(_stray_text(node))
        if not isinstance(tag, str):
            continue
        place = rule.places.get(tag)
        if place is None:
            at = _take_foreign(child, rule, node, at, counts, faults)
        elif place < at:
            faults.append(_out_of_order(child, rule, node, place, at))
        else:
            _missing(rule, node, at, place, counts, faults)
            at = place
            counts[place] += 1
            _take(child, rule.children[place], node, counts[place], faults)
        if len(faults) >= MOST_FAULTS:
            return
    _missing(rule, node, at, len(rule.children), counts, faults)


def _take(
    child: etree._Element, rule: Element, node: Node, count: int, faults: list[Fault]
) -> None:
    path = f"{node.path}/{rule.name}[{count}]" if rule.many else f"{node.path}/{rule.name}"
    line = _line(child)
    if count > 1 and not rule.many:
        faults.append(Fault("too-many", path, line, f"<{rule.name}> may come only once here."))
    if rule.children:
        inner = Node(path, line)
        node.nodes.setdefault(rule.name, []).append(inner)
        _walk(child, rule, inner, faults)
        return
    commented = False
    text = child.text or ""
    if len(child):
        commented = True
        for part in child:
            if isinstance(part.tag, str):
                faults.append(Fault("unknown-element", path, line,
                                    f"<{rule.name}> holds text only."))  # fmt: skip
            text += part.tail or ""
    if child.attrib:
        _check_attributes(child, path, faults)
    if not rule.kind.check(text):
        sentence = f"<{rule.name}> must be {rule.kind.wanted}."
        faults.append(Fault(rule.kind.code, path, line, sentence))
    node.texts.setdefault(rule.name, []).append(Text(text, path, line, commented))


def _take_foreign(
    child: etree._Element,
    rule: Element,
    node: Node,
    at: int,
    counts: list[int],
    faults: list[Fault],
) -> int:
    if rule.wildcard and child.tag.startswith(_DSIG_TAG):
        end = len(rule.children)
        _missing(rule, node, at, end, counts, faults)
        _check_inside_signature(child, node, faults)
        name = etree.QName(child).localname
        node.nodes.setdefault(name, []).append(Node(f"{node.path}/{name}", _line(child)))
        return end - 1
    # The caller's own word: no longer than it must be, and only to say where.
    name = etree.QName(child).localname[:LONGEST_STEP]
    sentence = f"CAP 1.2 knows no such element in <{rule.name}>."
    faults.append(Fault("unknown-element", f"{node.path}/{name}", _line(child), sentence))
    return at


def _check_inside_signature(signature: etree._Element, node: Node, faults: list[Fault]) -> None:
    # The schema is lax here: what it does not know passes, what it knows must be right.
    for part in _known_inside(signature):
        if part.tag == _CAP_TAG + "alert":
            _walk(part, ALERT, Node(f"{node.path}/Signature//alert", _line(part)), faults)
        else:
            rule = Element(etree.QName(part).localname)
            _take(part, rule, Node(f"{node.path}/Signature/", _line(part)), 1, faults)


def _known_inside(element: etree._Element) -> Iterator[etree._Element]:
    # An alert's own signatures are walked with it: to find them here too would double the work
    # with every level.
    for part in element:
        if part.tag in _KNOWN_INSIDE:
            yield part
        else:
            yield from _known_inside(part)


def _missing(
    rule: Element, node: Node, start: int, end: int, counts: list[int], faults: list[Fault]
) -> None:
    for at in range(start, end):
        wanted = rule.children[at]
        if counts[at] < wanted.least:
            counts[at] = wanted.least
            sentence = f"<{rule.name}> lacks its <{wanted.name}>."
            faults.append(
                Fault("missing-element", f"{node.path}/{wanted.name}", node.line, sentence)
            )


def _out_of_order(child: etree._Element, rule: Element, node: Node, place: int, at: int) -> Fault:
    name = rule.children[place].name
    after = rule.children[at].name if at < len(rule.children) else "Signature"
    sentence = f"<{name}> must come before <{after}>."
    return Fault("order", f"{node.path}/{name}", _line(child), sentence)


def _check_attributes(element: etree._Element, path: str, faults: list[Fault]) -> None:
    for name in element.attrib:
        if name not in _HARMLESS:
            sentence = "CAP 1.2 knows no such attribute."
            faults.append(Fault("attribute", path, _line(element), sentence))


def _line(element: etree._Element) -> int:
    line = element.sourceline
    return line if isinstance(line, int) else 0


def _stray_text(node: Node) -> Fault:
    return Fault("text-between", node.path, node.line, "There is text between the elements.")
