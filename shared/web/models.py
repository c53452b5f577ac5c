"""The base of every request body: unknown fields refused, types exact, numbers finite."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

# FastAPI leaves nulls out of its document, also out of examples: there this stands for one.
NULL = "\u2400"
# The last id of a page, with which the next one is asked for.
After = Annotated[UUID | None, Query(examples=["019c0f3e-7d5a-7cc1-9a55-2f3f9f4d8a10"])]

# JSON has no UUID, time, enum, set or tuple: these come as text, number or list.
_WRITTEN_IN_JSON = frozenset({"uuid", "date", "enum", "set", "frozenset", "tuple", "decimal"})
_NOT_SCHEMAS = frozenset({"metadata", "serialization", "default", "expected", "config"})
_DATETIME_BOUNDS = ("le", "ge", "lt", "gt", "microseconds_precision")


def _exact_time(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    # Pydantic would read numbers, and texts of digits, as seconds since 1970.
    if not (isinstance(value, datetime) or (isinstance(value, str) and "T" in value.upper())):
        raise PydanticCustomError("datetime_type", "a date and time as RFC 3339 writes it")
    moment = read(value)
    try:
        # The first and last hours of the calendar are off it in UTC, in which times are stored.
        moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("datetime_range", "a time that there is in UTC") from None
    return moment


def _soften(node: Any, owner: type[BaseModel]) -> None:
    """Make the types that JSON lacks readable, in the schema of one model and not its members'."""
    if isinstance(node, list | tuple):
        for item in node:
            _soften(item, owner)
    if not isinstance(node, dict):
        return
    kind = node.get("type")
    if kind == "model" and node["cls"] is not owner:
        return
    if kind == "function-wrap" and node["function"].get("function") is _exact_time:
        # A model's schema is handed out again, with what was made of it, to each application.
        return
    if kind == "datetime":
        bounds = {key: node[key] for key in _DATETIME_BOUNDS if key in node}
        exact = core_schema.datetime_schema(strict=False, tz_constraint="aware", **bounds)
        node.clear()
        node.update(core_schema.no_info_wrap_validator_function(_exact_time, exact))
        return
    if kind in _WRITTEN_IN_JSON:
        node["strict"] = False
    for key, value in node.items():
        if key not in _NOT_SCHEMAS:
            _soften(value, owner)


def example(**fields: Any) -> ConfigDict:
    """Return the configuration of a model that shows one of its kind to readers of the document."""
    return ConfigDict(json_schema_extra={"examples": [swap(fields, None, NULL)]})


def swap(value: Any, old: object, new: object) -> Any:
    """Return what JSON can hold with every `old` in it as `new`."""
    if isinstance(value, dict):
        return {name: swap(one, old, new) for name, one in value.items()}
    if isinstance(value, list):
        return [swap(one, old, new) for one in value]
    return new if value == old else value


class StrictModel(BaseModel):
    """A body read exactly: no coercion, and times with their offset."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let the types that JSON lacks be read from what JSON has, and from nothing else."""
        schema = handler(source)
        _soften(schema, cls)
        return schema
