"""Whatever is wrong with a body, the pointers of its refusal lead to places in what was sent."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.apis.desk import SERVICES, Apis
from tests.contract.apis.test_problems import callers, check

WRONG: tuple[Any, ...] = ({"x": 1}, [1, "x"], "q", None)
LONG = "a~/b" * 40


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value, of a list those of its first and last item."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, one in value.items():
            yield from places(one, (*path, name))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1} & set(range(len(value)))):
            yield from places(value[index], (*path, index))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """Return what lies at a path."""
    for step in path:
        value = value[step]
    return value


def broken(example: Any) -> Iterator[Any]:
    """Yield a body with one thing wrong, for every place and every kind of wrong."""
    for path in places(example):
        for wrong in WRONG:
            body = copy.deepcopy(example)
            at(body, path[:-1])[path[-1]] = wrong
            yield body
        body = copy.deepcopy(example)
        del at(body, path[:-1])[path[-1]]
        yield body
        if isinstance(at(example, path), dict):
            for name in ("verified", LONG):
                body = copy.deepcopy(example)
                at(body, path)[name] = 1
                yield body


def leads(pointer: str, body: Any, example: Any) -> bool:
    """Say whether a pointer names a value (RFC 6901), or where a member of the example is not."""
    steps = [one.replace("~1", "/").replace("~0", "~") for one in pointer.split("/")]
    if steps.pop(0) or _leads(steps, body):
        return not pointer or pointer.startswith("/")
    return bool(steps) and _leads(steps[:-1], body) and _leads(steps, example)


def _leads(steps: list[str], value: Any) -> bool:
    for step in steps:
        if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return False
    return True


@pytest.mark.shows("bad:J11", "bad:J12", "S44")
@pytest.mark.parametrize("service", SERVICES)
async def test_every_pointer_leads_to_a_place_in_the_body(apis: Apis, service: str) -> None:
    api, astray = apis[service], set()
    for caller in callers(api, reading="application/json"):
        _, example = api.body_of(caller.operation) or ("", {})
        for body in broken(example):
            answer = await caller.call(json=body)
            if answer.status_code < 400:
                continue
            for one in check(answer, answer.status_code).get("errors", ()):
                if not leads(one["pointer"], body, example):
                    astray.add((caller.operation.name, one["pointer"], one["code"]))
    assert astray == set()


async def test_a_list_is_not_short_because_an_item_of_it_is_wrong(apis: Apis) -> None:
    caller = next(
        one for one in callers(apis["subscriber"]) if one.operation.name == "POST /v1/subscribers"
    )
    _, example = apis["subscriber"].body_of(caller.operation) or ("", {})
    point = {"channel": "sms", "address": "12"}
    one_wrong = check(await caller.call(json={**example, "contact_points": [point]}), 422)
    assert [one["pointer"] for one in one_wrong["errors"]] == ["/contact_points/0/address"]
    none = check(await caller.call(json={**example, "contact_points": []}), 422)
    assert none["errors"] == [{"pointer": "/contact_points", "code": "too-short"}]


async def test_a_value_of_two_kinds_is_named_and_not_its_kinds(apis: Apis) -> None:
    caller = next(
        one
        for one in callers(apis["subscriber"])
        if one.operation.name == "POST /v1/subscribers/{subscriber_id}/confirm"
    )
    answer = check(await caller.call(json={"contact": "first", "code": "123456"}), 422)
    assert {one["pointer"] for one in answer["errors"]} == {"/contact"}
