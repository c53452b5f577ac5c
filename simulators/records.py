"""What the simulators have accepted, found by SID and by number, and rebuilt from the ledger."""

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from sys import intern
from typing import Any

import orjson

from simulators.ledger import ACCEPTED_KINDS, Ledger

_OURS = re.compile(r"/v1/receipts/twilio/[a-z]+/([0-9a-fA-F-]{36})(?:\?(?:.*&)?epoch=(\d+))?")


@dataclass(slots=True)
class Item:
    """An accepted text, call or mail; times are seconds since 1970.

    `plan` holds the callbacks as [status, code, answered by, delay in ms]; `done` counts those
    that were answered or given up.
    """

    number: int
    kind: str
    sid: str
    to: str
    from_: str
    body: str
    status: str
    at: float
    callback: str = ""
    delivery_id: str | None = None
    epoch: int | None = None
    plan: list[list[Any]] = field(default_factory=list)
    done: int = 0
    error_code: int | None = None
    answered_by: str | None = None
    sent_at: float | None = None
    service: str | None = None


def delivery_of(callback: str) -> tuple[str | None, int | None]:
    """Read our delivery id and epoch out of a status callback address."""
    found = _OURS.search(callback)
    if found is None:
        return None, None
    return found[1], int(found[2]) if found[2] else None


class Records:
    """Everything accepted, and who has texted STOP to which sender."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.items: dict[str, Item] = {}
        self.by_number: defaultdict[tuple[str, str], list[Item]] = defaultdict(list)
        self.replies: list[dict[str, Any]] = []
        self.stopped: set[tuple[str, str]] = set()
        self.rules: dict[str, Any] | None = None
        for line in ledger.read():
            self._restore(orjson.loads(line))

    def accept(self, item: Item) -> None:
        """Write an item to the ledger, then remember it."""
        item.number = self.ledger.append(
            {
                "kind": item.kind,
                "to": item.to,
                "from": item.from_,
                "body": item.body,
                "sid" if item.kind != "email" else "message_id": item.sid,
                "delivery_id": item.delivery_id,
                "epoch": item.epoch,
                "at": item.at,
                "status": item.status,
                "callback": item.callback,
                "plan": item.plan,
                "service": item.service,
            }
        )
        self._keep(item)

    def refuse(self, kind: str, to: str, code: int | str) -> None:
        """Write down a request that was answered with an error."""
        self.ledger.append({"kind": "refused", "of": kind, "to": to, "code": code, "at": now()})

    def step(self, item: Item, *, answered: bool) -> None:
        """Write down that the next callback of an item was answered or given up."""
        item.done += 1
        self.ledger.append(
            {"kind": "receipt", "sid": item.sid, "step": item.done, "answered": answered}
        )

    def advance(self, item: Item, status: str, code: int | None, answered_by: str | None) -> None:
        """Move an item to the status its next callback tells."""
        item.status = status
        item.error_code = code if code is not None else item.error_code
        item.answered_by = answered_by or item.answered_by
        if item.sent_at is None and status not in ("queued", "accepted"):
            item.sent_at = now()

    def stop(self, number: str, sender: str, *, stopped: bool) -> None:
        """Put a number on a sender's STOP list, or take it off."""
        self.ledger.append(
            {"kind": "stop" if stopped else "start", "to": number, "from": sender, "at": now()}
        )
        self._stop(number, sender, stopped)

    def reply(self, to: str, from_: str, body: str) -> None:
        """Keep a text that answered an inbound one."""
        record = {"kind": "reply", "to": to, "from": from_, "body": body, "at": now()}
        self.ledger.append(record)
        self.replies.append(record)

    def keep_rules(self, rules: dict[str, Any]) -> None:
        """Write the rules down, so that a kill does not change how the simulators behave."""
        self.ledger.append({"kind": "rules", **rules})
        self.rules = rules

    def find(self, kinds: Iterable[str], to: str | None) -> Iterator[Item]:
        """Yield what was accepted for an address, newest first."""
        wanted = set(kinds)
        found: Iterable[Item]
        if to is None:
            found = reversed(self.items.values())
        else:
            lists = (self.by_number.get((kind, to), []) for kind in wanted)
            found = sorted((i for part in lists for i in part), key=lambda i: -i.number)
        return (item for item in found if item.kind in wanted)

    def unfinished(self) -> list[Item]:
        """Return the items that still have callbacks to send."""
        return [item for item in self.items.values() if item.done < len(item.plan)]

    def _keep(self, item: Item) -> None:
        # A mail repeated with its Message-ID is a second acceptance of the same thing.
        self.items[item.sid if item.kind != "email" else f"{item.sid}#{item.number}"] = item
        self.by_number[item.kind, item.to].append(item)

    def _stop(self, number: str, sender: str, stopped: bool) -> None:
        (self.stopped.add if stopped else self.stopped.discard)((number, sender))

    def _restore(self, line: dict[str, Any]) -> None:
        kind = line["kind"]
        if kind in ACCEPTED_KINDS:
            self._keep(
                Item(
                    number=line["n"],
                    kind=kind,
                    sid=line["message_id"] if kind == "email" else line["sid"],
                    to=line["to"],
                    from_=line["from"],
                    body=intern(line["body"]),
                    status=line["status"],
                    at=line["at"],
                    callback=line["callback"],
                    delivery_id=line["delivery_id"],
                    epoch=line["epoch"],
                    plan=line["plan"],
                    service=line["service"],
                )
            )
        elif kind == "receipt":
            item = self.items[line["sid"]]
            status, code, answered_by, _ = item.plan[line["step"] - 1]
            self.advance(item, status, code, answered_by)
            item.done = line["step"]
        elif kind in ("stop", "start"):
            self._stop(line["to"], line["from"], kind == "stop")
        elif kind == "reply":
            self.replies.append(line)
        elif kind == "rules":
            self.rules = {name: line[name] for name in ("rules", "seed")}


def now() -> float:
    """Return the seconds since 1970."""
    return time.time()


_dates: dict[int, str] = {}


def rfc2822(moment: float | None) -> str | None:
    """Write a time as the provider's resources do; whole seconds, remembered for the second."""
    if moment is None:
        return None
    second = int(moment)
    if second not in _dates:
        if len(_dates) > 1000:
            _dates.clear()
        _dates[second] = formatdate(second, usegmt=True).replace("GMT", "+0000")
    return _dates[second]
