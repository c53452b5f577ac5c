"""The Twilio-shaped half: create, fetch and list messages and calls, as bare ASGI."""

import asyncio
import re
import socket
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from sys import intern
from typing import Any

from simulators import callbacks, rules
from simulators.callbacks import Callbacks, plan_of
from simulators.http import Call, Reply, json_reply, whole_number
from simulators.records import Item, Records, delivery_of, now, rfc2822
from simulators.rules import Kind, Receipt, Rule, RuleBook

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_GONE_AFTER_S = 120
_MOST_CHARACTERS = 1600
# Which event a call's status belongs to; the ways to end are all "completed".
_EVENTS = {"initiated": "initiated", "ringing": "ringing", "in-progress": "answered"}
NAMES: dict[str, str] = {"sms": "Messages", "voice": "Calls"}
SENTENCES = {
    20001: "Unknown parameters",
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    21201: "No 'To' number is specified",
    21205: "Url is not a valid URL",
    21211: "The 'To' number is not a valid phone number",
    21602: "Message body is required",
    21603: "A 'From' phone number is required",
    21610: "Attempt to send to unsubscribed recipient",
    21617: "The concatenated message body exceeds the 1600 character limit",
}


def error(status: int, code: int, headers: Mapping[str, str] | None = None) -> Reply:
    """Make an error reply in the provider's shape."""
    return json_reply(
        status,
        {
            "code": code,
            "message": SENTENCES.get(code, "The request was refused"),
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        },
        headers,
    )


class Twilio:
    """Messages and calls of one account."""

    def __init__(self, records: Records, sender: Callbacks, book: RuleBook, account: str) -> None:
        self._records, self._callbacks, self._book = records, sender, book
        self._account = account
        self._late: set[asyncio.Task[None]] = set()

    async def create(self, kind: Kind, call: Call) -> Reply | None:
        """Accept or refuse a message or call; None when the connection was dropped instead."""
        form = call.form()
        to = form.get("To", "")
        refusal = self._refusal(kind, form)
        rule = self._book.find(kind, to)
        natural = rules.by_number(kind, to)
        reply = (rule or natural).reply
        if refusal is None and reply.mode == "error":
            refusal = (reply.status, reply.code)
        if refusal is not None:
            self._records.refuse(kind, to, refusal[1])
            return error(*refusal)
        if reply.mode == "too_many":
            self._records.refuse(kind, to, 20429)
            wait = reply.retry_after
            return error(429, 20429, {} if wait is None else {"Retry-After": f"{wait:g}"})
        if reply.mode == "hang":
            await call.gone(_GONE_AFTER_S)
            return None
        item = self._item(kind, call, form, rule, natural)
        if reply.mode == "late":
            task = asyncio.create_task(self._accept_late(item, reply.delay_s))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            await call.gone(max(_GONE_AFTER_S, reply.delay_s))
            return None
        self._records.accept(item)
        if rule is not None and rule.before_reply:
            await self._callbacks.send_now(item)
        self._callbacks.plan(item)
        if reply.mode == "accept_reset":
            await _reset(call)
            return None
        if reply.mode == "accept_500":
            return error(500, 20500)
        if reply.mode == "accept_garbage":
            return Reply(201, b"<html>it may have worked", "text/html")
        return json_reply(201, self.resource(item))

    def fetch(self, kind: Kind, sid: str) -> Reply:
        """Answer with one message or call."""
        item = self._records.items.get(sid)
        if item is None or item.kind != kind:
            return error(404, 20404)
        return json_reply(200, self.resource(item))

    def listing(self, kind: Kind, query: Mapping[str, str]) -> Reply:
        """Answer with a page of messages or calls, newest first.

        The date filters are of the day or moment something was sent, so that a queued message is
        in no filtered list.

        Raises:
            Unreadable: a page or its size is no whole number.
        """
        asked = whole_number(query, "PageSize")
        size = 50 if asked is None else min(max(asked, 1), 1000)
        page = whole_number(query, "Page") or 0
        found = [
            item
            for item in self._records.find([kind], query.get("To"))
            if query.get("From") in (None, item.from_) and _within(item, kind, query)
        ]
        shown = found[page * size : (page + 1) * size]
        path = f"/2010-04-01/Accounts/{self._account}/{NAMES[kind]}.json"
        kept = "&".join(f"{k}={v.replace('+', '%2B')}" for k, v in query.items() if k != "Page")
        more = len(found) > (page + 1) * size
        return json_reply(
            200,
            {
                NAMES[kind].lower(): [self.resource(item) for item in shown],
                "page": page,
                "page_size": size,
                "uri": f"{path}?{kept}&Page={page}",
                "next_page_uri": f"{path}?{kept}&Page={page + 1}" if more else None,
                "previous_page_uri": None,
            },
        )

    def resource(self, item: Item) -> dict[str, Any]:
        """Write an item as the provider's resource."""
        created, sent = rfc2822(item.at), rfc2822(item.sent_at)
        path = f"/2010-04-01/Accounts/{self._account}/{NAMES[item.kind]}/{item.sid}.json"
        common = {
            "sid": item.sid,
            "account_sid": self._account,
            "to": item.to,
            "from": item.from_,
            "status": item.status,
            "date_created": created,
            "date_updated": sent or created,
            "api_version": "2010-04-01",
            "direction": "outbound-api",
            "price": None,
            "price_unit": "USD",
            "uri": path,
        }
        if item.kind == "sms":
            return common | {
                "body": item.body,
                "date_sent": sent,
                "error_code": item.error_code,
                "error_message": None,
                "messaging_service_sid": item.service,
                "num_media": "0",
                "num_segments": "1",
            }
        return common | {"start_time": sent, "answered_by": item.answered_by, "duration": None}

    def _refusal(self, kind: Kind, form: Mapping[str, str]) -> tuple[int, int] | None:
        to, sender = form.get("To", ""), form.get("From") or form.get("MessagingServiceSid", "")
        if not to:
            return 400, 21201
        if not _E164.fullmatch(to):
            return 400, 21211
        if not sender:
            return 400, 21603
        if kind == "voice":
            return None if form.get("Twiml") or form.get("Url") else (400, 21205)
        body = form.get("Body", "")
        if not body.strip():
            return 400, 21602
        if len(body) > _MOST_CHARACTERS:
            return 400, 21617
        return (400, 21610) if (to, sender) in self._records.stopped else None

    def _item(
        self,
        kind: Kind,
        call: Call,
        form: Mapping[str, str],
        rule: Rule | None,
        natural: Rule,
    ) -> Item:
        callback = form.get("StatusCallback", "")
        delivery_id, epoch = delivery_of(callback)
        receipts = rule.receipts if rule is not None else None
        if receipts is None:
            receipts = (
                natural.receipts or (rules.DELIVERED if kind == "sms" else rules.ANSWERED).receipts
            )
        service = form.get("MessagingServiceSid")
        return Item(
            number=0,
            kind=kind,
            sid=callbacks.new_sid("SM" if kind == "sms" else "CA"),
            to=form["To"],
            from_=form.get("From") or service or "",
            body=intern(form.get("Body") or form.get("Twiml", "")),
            status="accepted" if service else "queued",
            at=now(),
            callback=callback,
            delivery_id=delivery_id,
            epoch=epoch,
            plan=plan_of(_asked(kind, rule, receipts, call), rule.repeat if rule else 1)
            if callback
            else [],
            service=service,
        )

    async def _accept_late(self, item: Item, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        item.at = now()
        self._records.accept(item)
        self._callbacks.plan(item)


def _asked(
    kind: Kind, rule: Rule | None, receipts: Sequence[Receipt] | None, call: Call
) -> Sequence[Receipt]:
    """Leave out the callbacks that a call did not ask for; a rule's own are sent regardless."""
    found = receipts or ()
    if kind == "sms" or (rule is not None and rule.receipts is not None):
        return found
    events = set(call.values("StatusCallbackEvent")) or {"completed"}
    return [one for one in found if _EVENTS.get(one.status, "completed") in events]


def _within(item: Item, kind: Kind, query: Mapping[str, str]) -> bool:
    name = "DateSent" if kind == "sms" else "StartTime"
    wanted = {sign: query[name + sign] for sign in ("", "<", ">") if name + sign in query}
    if not wanted:
        return True
    if item.sent_at is None:
        return False
    sent = datetime.fromtimestamp(item.sent_at, UTC).isoformat()
    return all(
        sent[: len(value)] == value if sign == "" else
        sent[: len(value)] <= value if sign == "<" else sent[: len(value)] >= value
        for sign, value in wanted.items()
    )  # fmt: skip


async def _reset(call: Call) -> None:
    """Reset the connection, as a provider does that dies after it has accepted."""
    transport = call.transport()
    if transport is not None:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await call.gone(5)
