"""A request with an Idempotency-Key is done once; asked again, it gets the first answer."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request, Response
from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch_one, fetch_value
from shared.security.principal import Principal
from shared.web.errors import bad_request, conflict, precondition_required, unprocessable

_LONGEST = 255
_KEPT = "7 days"
_KEYS = ["6d0f7c2e-2f52-4d0c-9a57-0f3f3e6f8b11"]


@dataclass(frozen=True, slots=True)
class Replay:
    """The first answer to a key."""

    status: int
    body: bytes

    def response(self) -> Response:
        """Give the first answer again."""
        return Response(
            self.body,
            status_code=self.status,
            media_type="application/json",
            headers={"Idempotent-Replayed": "true"},
        )


async def read_optional_key(
    idempotency_key: Annotated[list[str] | None, Header(examples=[_KEYS])] = None,
) -> str | None:
    """Return the Idempotency-Key of a request, or None.

    Raises:
        Problem: 400 for one that is too long or not plain text.
    """
    keys = [key.strip() for key in idempotency_key or ()]
    if not any(keys):
        return None
    plain = keys[0].isascii() and keys[0].isprintable()
    if len(keys) > 1 or len(keys[0]) > _LONGEST or not plain:
        detail = f"The Idempotency-Key must be one text of at most {_LONGEST} characters."
        raise bad_request("idempotency-key-invalid", detail)
    return keys[0]


async def read_key(key: Annotated[str | None, Depends(read_optional_key)]) -> str:
    """Return the Idempotency-Key of a request that must have one.

    Raises:
        Problem: 428 without one, 400 for one that is too long or not plain text.
    """
    if key is None:
        raise precondition_required("idempotency-key-required", "Send an Idempotency-Key header.")
    return key


async def request_digest(request: Request) -> bytes:
    """Hash what the request asks: method, path, query and body (32 bytes)."""
    digest = hashlib.sha256()
    for part in (request.method, request.url.path, request.url.query):
        digest.update(part.encode() + b"\n")
    digest.update(await request.body())
    return digest.digest()


Key = Annotated[str, Depends(read_key)]
OptionalKey = Annotated[str | None, Depends(read_optional_key)]
Digest = Annotated[bytes, Depends(request_digest)]


class Idempotency:
    """The keys of one service, in the table `<service>_idempotency`."""

    def __init__(self, service: str) -> None:
        self._table = f"{service}_idempotency"

    async def answered(
        self, tx: Tx, *, principal: Principal | str, key: str, digest: bytes
    ) -> Replay | None:
        """Return the first answer where there is one; claim nothing, unlike `remember`.

        Asked before anything that time may change: a repeated request is answered as the first.

        Raises:
            Problem: 422 when the key came with another request.
        """
        row = await self._find(tx, _who(principal), key)
        return None if row is None or row["status"] is None else _replay(row, digest)

    async def remember(
        self, tx: Tx, *, principal: Principal | str, key: str, digest: bytes
    ) -> Replay | None:
        """Return the first answer if there was one; else keep the key until the transaction ends.

        Raises:
            Problem: 409 while the first request runs, 422 when the key came with another request.
        """
        who = _who(principal)
        lock = f"{self._table}\n{who}\n{key}"
        if not await fetch_value(
            tx, "SELECT pg_try_advisory_xact_lock(hashtextextended(:lock, 0))", lock=lock
        ):
            raise conflict("in-progress", "The first request with this key is still running.")
        row = await self._find(tx, who, key)
        if row is None:
            await execute(
                tx,
                f"INSERT INTO {self._table} (principal, key, digest) VALUES (:who, :key, :digest)",  # noqa: S608
                who=who,
                key=key,
                digest=digest,
            )
            return None
        replay = _replay(row, digest)
        if row["status"] is None:
            raise conflict("in-progress", "The first request with this key gave no answer.")
        return replay

    async def settle(
        self, tx: Tx, *, principal: Principal | str, key: str, status: int, body: Any
    ) -> None:
        """Keep the answer to a key, in the transaction that did the work."""
        await execute(
            tx,
            f"UPDATE {self._table} SET status = :status, body = :body"  # noqa: S608
            " WHERE principal = :who AND key = :key",
            who=_who(principal),
            key=key,
            status=status,
            body=body if isinstance(body, bytes) else orjson.dumps(body),
        )

    async def _find(self, tx: Tx, who: str, key: str) -> RowMapping | None:
        return await fetch_one(
            tx,
            f"SELECT digest, status, body FROM {self._table} WHERE principal = :who AND key = :key",  # noqa: S608
            who=who,
            key=key,
        )

    async def prune(self, tx: Tx) -> int:
        """Forget keys older than a week; return how many."""
        return await execute(
            tx,
            f"DELETE FROM {self._table} WHERE created_at < now() - CAST('{_KEPT}' AS interval)",  # noqa: S608
        )


def _who(principal: Principal | str) -> str:
    return principal if isinstance(principal, str) else f"{principal.kind}:{principal.subject}"


def _replay(row: RowMapping, digest: bytes) -> Replay:
    if bytes(row["digest"]) != digest:
        detail = "This Idempotency-Key came with another request before."
        raise unprocessable("idempotency-key-reused", detail)
    return Replay(row["status"], bytes(row["body"] or b""))


def idempotency_ddl(service: str) -> list[str]:
    """Return the statements that make the table of a service's keys, for its migration."""
    return [
        f"""CREATE TABLE {service}_idempotency (
            principal text NOT NULL,
            key text NOT NULL,
            digest bytea NOT NULL,
            status smallint,
            body bytea,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (principal, key)
        )""",
        f"CREATE INDEX {service}_idempotency_age ON {service}_idempotency (created_at)",
    ]
