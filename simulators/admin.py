"""The simulators' own pages: rules, ledger, what somebody received, and texts from residents."""

import asyncio
import email
import email.policy
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import aiohttp
import orjson
from pydantic import ValidationError

from simulators.callbacks import Callbacks, new_sid
from simulators.http import Call, Reply, Send, json_reply, whole_number
from simulators.ledger import ACCEPTED_KINDS
from simulators.records import Item, Records
from simulators.rules import Rule, RuleBook

# The single words a provider acts on by itself, before or beside the webhook.
STOP_WORDS = frozenset("STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT".split())
START_WORDS = frozenset("START YES UNSTOP".split())
_STOPPED = "You have been unsubscribed and will get no more messages from this number."
_LEDGER_CHUNK = 500
_MOST_LISTED = 1000


class Admin:
    """What tests and the demo ask of the simulators."""

    def __init__(
        self, records: Records, sender: Callbacks, book: RuleBook, *,
        account_sid: str, public_url: str, open_requests: Callable[[], dict[str, int]],
    ) -> None:  # fmt: skip
        self._records, self._callbacks, self._book = records, sender, book
        self._account, self._public_url = account_sid, public_url
        self._open_requests = open_requests
        if records.rules is not None:
            self._use(records.rules)

    async def answer(self, call: Call, send: Send) -> Reply | None:
        """Answer one request; None when the reply has been streamed."""
        path, method = call.scope["path"], call.scope["method"]
        if path == "/simulator/rules":
            return self._rules(method, call.body)
        if path == "/simulator/inbound" and method == "POST":
            return await self._inbound(call.body)
        if method != "GET":
            return json_reply(405, {"message": "method not allowed"})
        if path == "/simulator/ledger":
            await self._ledger(call.query(), send)
            return None
        if path == "/simulator/messages":
            return self._messages(call.query())
        if path == "/simulator/stats":
            return json_reply(200, self._stats())
        return json_reply(404, {"message": "not found"})

    def _rules(self, method: str, body: bytes) -> Reply:
        if method == "DELETE":
            self._records.keep_rules({"rules": [], "seed": 0})
            self._book.replace([])
        elif method == "POST":
            try:
                given = orjson.loads(body)
                if not isinstance(given, dict) or "rules" not in given:
                    given = {"rules": given if isinstance(given, list) else [given]}
                kept = {"rules": list(given["rules"]), "seed": int(given.get("seed", 0))}
                self._use(kept)
            except (ValidationError, ValueError, TypeError) as fault:
                return json_reply(422, {"message": str(fault)[:2000]})
            self._records.keep_rules(kept)
        rules = [rule.model_dump(exclude_defaults=True) for rule in self._book.rules]
        return json_reply(200, {"seed": self._book.seed, "rules": rules})

    def _use(self, kept: dict[str, Any]) -> None:
        self._book.replace([Rule.model_validate(rule) for rule in kept["rules"]], seed=kept["seed"])

    async def _ledger(self, query: dict[str, str], send: Send) -> None:
        kind = query.get("kind")
        kinds = None if kind == "all" else frozenset(kind.split(",")) if kind else ACCEPTED_KINDS
        lines = self._records.ledger.read(
            after=whole_number(query, "after") or 0,
            kinds=kinds,
            limit=whole_number(query, "limit"),
        )
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        chunk: list[bytes] = []
        for line in lines:
            chunk.append(line)
            if len(chunk) == _LEDGER_CHUNK:
                body = b"".join(chunk)
                await send({"type": "http.response.body", "body": body, "more_body": True})
                await asyncio.sleep(0)
                chunk.clear()
        await send({"type": "http.response.body", "body": b"".join(chunk)})

    def _messages(self, query: dict[str, str]) -> Reply:
        to, kind = query.get("to"), query.get("kind")
        if to is not None:
            # A + that was not encoded comes as a space.
            to = to.strip() if "@" in to else "+" + to.strip(" +")
        kinds = [kind] if kind else sorted(ACCEPTED_KINDS)
        found = []
        for item in self._records.find(kinds, to):
            found.append(_shown(item))
            if len(found) == _MOST_LISTED:
                break
        replies = [reply for reply in self._records.replies if to in (None, reply["to"])]
        return json_reply(200, {"messages": found[::-1], "replies": replies[-_MOST_LISTED:]})

    def _stats(self) -> dict[str, Any]:
        counts = dict.fromkeys(sorted(ACCEPTED_KINDS), 0)
        for item in self._records.items.values():
            counts[item.kind] += 1
        return {
            "accepted": counts,
            "callbacks": {
                "waiting": self._callbacks.waiting,
                "sent": self._callbacks.sent,
                "failed": self._callbacks.failed,
            },
            "requests": self._open_requests(),
        }

    async def _inbound(self, body: bytes) -> Reply:
        try:
            given = orjson.loads(body)
            sender, text, to = str(given["from"]), str(given["body"]), str(given.get("to", ""))
        except (ValueError, KeyError, TypeError):
            return json_reply(422, {"message": "from and body are needed"})
        to = to or self._last_sender(sender)
        word = re.sub(r"\W", "", text).upper() if len(text.split()) == 1 else ""
        if word in STOP_WORDS:
            self._records.stop(sender, to, stopped=True)
            self._records.reply(sender, to, _STOPPED)
        elif word in START_WORDS:
            self._records.stop(sender, to, stopped=False)
        params = {
            "MessageSid": new_sid("SM"),
            "AccountSid": self._account,
            "From": sender,
            "To": to,
            "Body": text,
            "NumMedia": "0",
            "NumSegments": "1",
            "ApiVersion": "2010-04-01",
        }
        params["SmsMessageSid"] = params["SmsSid"] = params["MessageSid"]
        try:
            status, answer = await self._callbacks.post(
                f"{self._public_url}/v1/inbound/twilio/sms", params, {}, 15
            )
        except (aiohttp.ClientError, TimeoutError, OSError):
            return json_reply(502, {"message": "the webhook did not answer"})
        said = _spoken(answer) if status == 200 else []
        # What answers a number on the STOP list is not sent (21610).
        if (sender, to) not in self._records.stopped:
            for words in said:
                self._records.reply(sender, to, words)
        return json_reply(200, {"sid": params["MessageSid"], "status": status, "replies": said})

    def _last_sender(self, number: str) -> str:
        last = next(iter(self._records.find(["sms"], number)), None)
        return last.from_ if last is not None else "+18605550100"


def _spoken(answer: bytes) -> list[str]:
    # The answer is the system's own TwiML; a document type would be no TwiML.
    if b"<!DOCTYPE" in answer:
        return []
    try:
        root = ElementTree.fromstring(answer)  # noqa: S314
    except ElementTree.ParseError:
        return []
    return ["".join(message.itertext()) for message in root.iter("Message")]


def _shown(item: Item) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "n": item.number,
        "kind": item.kind,
        "to": item.to,
        "from": item.from_,
        "sid": item.sid,
        "delivery_id": item.delivery_id,
        "epoch": item.epoch,
        "status": item.status,
        "at": item.at,
        "body": item.body,
    }
    if item.kind == "email":
        mail = email.message_from_string(item.body, policy=email.policy.default)
        text = mail.get_body(("plain", "html"))
        shown["headers"] = {name.lower(): str(value) for name, value in mail.items()}
        shown["subject"] = str(mail.get("subject", ""))
        shown["body"] = text.get_content().replace("\r\n", "\n") if text else ""
    return shown
