"""Our grammar gives the official schema's verdict on real messages and on 10,000 broken ones."""

import os
import random
from pathlib import Path

import pytest
from lxml import etree

from services.dispatcher.cap.grammar import CAP, DSIG, check_grammar

DATA = os.environ.get("CTALERT_TEST_DATA")
# Without the data folder there is nothing to compare with: the test is then not collected.
__test__ = DATA is not None
CAP_FOLDER = Path(DATA or ".") / "cap"
MUTANTS = 10_000
SEED = 20260101
XSI = "http://www.w3.org/2001/XMLSchema-instance"
TEXTS = (
    "", " ", "x", "Actual", "Alert", "Public", "Met", "Immediate", "Extreme", "Likely", "Likely ",
    "en-US", "en_US", "12", "+1", "1.5", ".", "-.5", "1e3", "NaN", "http://a.example/x?y#z", "%zz",
    "a#b#c", "http://a:b/", "[", "1a:b", "é", "2026-01-31T16:05:00-05:00",
    "2026-01-31T16:05:00Z", "2026-01-31T16:05:00.5-05:00", "2026-02-30T16:05:00-05:00",
    "2026-01-31T24:00:00-05:00", "2026-01-31T16:05:00+14:01", " 2026-01-31T16:05:00-05:00\n",
    "2026-01-31T16:05:00,05:00", "0000-01-31T16:05:00-05:00", "2024-02-29T00:00:00-00:00",
)  # fmt: skip
NAMES = (
    "alert", "info", "area", "identifier", "sent", "status", "scope", "language", "category",
    "event", "urgency", "severity", "certainty", "expires", "effective", "headline", "web",
    "parameter", "valueName", "value", "resource", "size", "uri", "polygon", "circle", "geocode",
    "altitude", "ceiling", "areaDesc", "code", "note", "references", "incidents", "nonsense",
)  # fmt: skip
CHARACTERS = "0123456789-+:TZ.,/ #%[]@?éa\n\t"


def samples() -> list[bytes]:
    """Return the real messages."""
    return [path.read_bytes().lstrip() for path in sorted((CAP_FOLDER / "samples").glob("*.xml"))]


def _element(chance: random.Random) -> etree._Element:
    space = chance.choice((CAP, CAP, CAP, DSIG, "urn:elsewhere", None))
    name = chance.choice(NAMES)
    made = etree.Element(f"{{{space}}}{name}" if space else name)
    made.text = chance.choice(TEXTS)
    return made


def _retype(one: etree._Element, chance: random.Random) -> None:
    one.text = chance.choice(TEXTS)


def _edit(one: etree._Element, chance: random.Random) -> None:
    text = one.text or ""
    at = chance.randrange(len(text) + 1)
    cut = at + chance.randrange(2)
    one.text = text[:at] + chance.choice(("", chance.choice(CHARACTERS))) + text[cut:]


def _drop(one: etree._Element, chance: random.Random) -> None:
    parent = one.getparent()
    if parent is not None:
        parent.remove(one)


def _double(one: etree._Element, chance: random.Random) -> None:
    parent = one.getparent()
    if parent is not None:
        copy = etree.fromstring(etree.tostring(one, with_tail=False))
        parent.insert(parent.index(one), copy)


def _move(one: etree._Element, chance: random.Random) -> None:
    parent = one.getparent()
    if parent is not None:
        targets = [*parent.iterancestors(), parent, *parent.itersiblings()]
        target = chance.choice([to for to in targets if isinstance(to.tag, str)])
        one.tail = None
        target.insert(chance.randrange(len(target) + 1), one)


def _rename(one: etree._Element, chance: random.Random) -> None:
    one.tag = _element(chance).tag


def _add(one: etree._Element, chance: random.Random) -> None:
    one.insert(chance.randrange(len(one) + 1), _element(chance))


def _attribute(one: etree._Element, chance: random.Random) -> None:
    name = chance.choice(("a", "id", f"{{{XSI}}}schemaLocation", f"{{{XSI}}}nil"))
    one.set(name, chance.choice(("true", "x")))


def _comment(one: etree._Element, chance: random.Random) -> None:
    note = etree.Comment(" aside ")
    note.tail = chance.choice((None, " ", "rest"))
    one.insert(chance.randrange(len(one) + 1), note)


def _tail(one: etree._Element, chance: random.Random) -> None:
    if one.getparent() is not None:
        one.tail = chance.choice(("x", " ", "\u00a0", None))


CHANGES = (_retype, _retype, _edit, _edit, _drop, _double, _move, _rename, _add, _attribute,
           _comment, _tail)  # fmt: skip


def _verdicts(root: etree._Element, schema: etree.XMLSchema) -> tuple[bool, bool]:
    return not check_grammar(root)[1], schema.validate(root)


@pytest.mark.shows("C1", "bad:C08")
def test_every_real_message_passes_both() -> None:
    schema = etree.XMLSchema(etree.parse(str(CAP_FOLDER / "CAP-v1.2.xsd")))
    assert samples()
    for data in samples():
        assert _verdicts(etree.fromstring(data), schema) == (True, True)


@pytest.mark.shows("C1", "bad:C08")
def test_the_same_verdict_on_broken_messages() -> None:
    schema = etree.XMLSchema(etree.parse(str(CAP_FOLDER / "CAP-v1.2.xsd")))
    chance = random.Random(SEED)
    originals = samples()
    seen = {True: 0, False: 0}
    for number in range(MUTANTS):
        root = etree.fromstring(chance.choice(originals))
        for _ in range(chance.choice((1, 1, 1, 2))):
            elements = [one for one in root.iter() if isinstance(one.tag, str)]
            chance.choice(CHANGES)(chance.choice(elements), chance)
        ours, theirs = _verdicts(etree.fromstring(etree.tostring(root)), schema)
        assert ours == theirs, (number, check_grammar(root)[1], schema.error_log)
        seen[theirs] += 1
    # A comparison in which one side always loses would prove little.
    assert min(seen.values()) > MUTANTS / 10
