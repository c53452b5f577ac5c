"""Reading the bytes of a CAP message: hardened, bounded, and never fetching anything."""

import re
from dataclasses import dataclass

from lxml import etree

from services.dispatcher.cap.grammar import check_grammar
from services.dispatcher.cap.message import CapMessage, Fault, read_fields
from services.dispatcher.cap.rules import check_rules

MOST_BYTES = 256 * 1024
MOST_NODES = 5_000
DEEPEST = 32
MOST_ATTRIBUTES = 64
# libxml2's own bounds: elements 256 deep, names and values beyond reason.
_RESOURCE_LIMIT = 114
_NAME_TOO_LONG = 110

_PROLOGUE = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_DECLARATION = re.compile(
    rb"(?:\xef\xbb\xbf)?<\?xml\s[^>]*?encoding\s*=\s*[\"']\s*([A-Za-z0-9._\-]*)"
)
_too_many = etree.XPath(f"count(//* | //comment()) > {MOST_NODES}")
_too_wide = etree.XPath(f"boolean(//*[count(@*) > {MOST_ATTRIBUTES}])")
_too_deep = etree.XPath("boolean(" + "/*" * (DEEPEST + 1) + ")")
_has_pi = etree.XPath("boolean(//processing-instruction())")


class Unreadable(Exception):
    """The bytes are refused before any grammar: an HTTP status, a code and a sentence."""

    def __init__(self, status: int, code: str, sentence: str, *, line: int = 0) -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence, self.line = status, code, sentence, line


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading: the message, or the faults that forbid one; and its content."""

    message: CapMessage | None
    faults: tuple[Fault, ...]
    canonical: bytes


def _parse(data: bytes) -> etree._Element:
    if len(data) > MOST_BYTES:
        raise Unreadable(413, "too-large", f"A message has at most {MOST_BYTES} bytes.")
    if not data.strip():
        raise Unreadable(400, "empty-body", "The body is empty.")
    _check_encoding(data)
    prologue = _PROLOGUE.match(data)
    if prologue is not None and data.startswith(b"<!DOCTYPE", prologue.end()):
        raise Unreadable(400, "dtd-forbidden", "A DOCTYPE is not allowed.")
    # A new parser each time: libxml2's keep the names of every document they have seen.
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False,
        huge_tree=False, remove_pis=False, dtd_validation=False, attribute_defaults=False,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        if getattr(error, "code", 0) in (_NAME_TOO_LONG, _RESOURCE_LIMIT):
            raise Unreadable(413, "too-complex", "The message is too complex.") from None
        sentence = f"Not well-formed XML at line {line}, column {column}."
        raise Unreadable(400, "not-well-formed", sentence, line=line) from None
    _check_bounds(root)
    return root


def _check_encoding(data: bytes) -> None:
    declared = _DECLARATION.match(data)
    if declared is not None and declared[1].lower() not in (b"utf-8", b"utf8"):
        raise Unreadable(400, "bad-encoding", "A message must be in UTF-8.")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable(400, "bad-encoding", "A message must be in UTF-8.") from None
    if b"\x00" in data:
        raise Unreadable(400, "bad-encoding", "A message must be in UTF-8.")


def _check_bounds(root: etree._Element) -> None:
    if getattr(root.getroottree().docinfo, "doctype", None):
        raise Unreadable(400, "dtd-forbidden", "A DOCTYPE is not allowed.")
    if _has_pi(root):
        raise Unreadable(400, "instruction-forbidden", "Processing instructions are not allowed.")
    if _too_many(root):
        raise Unreadable(413, "too-complex", f"A message has at most {MOST_NODES} nodes.")
    if _too_deep(root):
        raise Unreadable(413, "too-complex", f"Elements nest at most {DEEPEST} deep.")
    if _too_wide(root):
        raise Unreadable(413, "too-complex", f"At most {MOST_ATTRIBUTES} attributes an element.")


def read_message(data: bytes) -> Reading:
    """Read a CAP 1.2 message: bytes, grammar, then the prose rules a schema cannot hold.

    Raises:
        Unreadable: empty, too large, not UTF-8, a DOCTYPE, an instruction, not well-formed, or
            without a canonical form.
    """
    root = _parse(data)
    node, faults = check_grammar(root)
    if not faults:
        faults = check_rules(node)
    if faults:
        return Reading(None, tuple(faults), b"")
    return Reading(read_fields(node), (), _canonical(root))


def _canonical(root: etree._Element) -> bytes:
    try:
        return bytes(etree.tostring(root, method="c14n", exclusive=True, with_comments=False))
    except etree.C14NError:
        # Canonical XML 1.0 §1.3: namespaces by a relative address have no canonical form.
        sentence = "A namespace is named by a relative address."
        raise Unreadable(400, "not-canonical", sentence) from None
