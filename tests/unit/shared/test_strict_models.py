"""A strict model in many applications of one process is the same model in each."""

from datetime import datetime
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from shared.web.models import StrictModel


class Moment(StrictModel):
    at: datetime


def wrappers(schema: Any) -> int:
    """Count the functions that a schema lays around values."""
    if isinstance(schema, list | tuple):
        return sum(map(wrappers, schema))
    if not isinstance(schema, dict):
        return 0
    return (schema.get("type") == "function-wrap") + sum(map(wrappers, schema.values()))


def test_a_model_is_made_strict_once_however_often_it_is_used() -> None:
    made = [TypeAdapter(Annotated[Moment, Field()]) for _ in range(5)]
    assert {wrappers(one.core_schema) for one in made} == {1}
    assert made[-1].json_schema()["properties"]["at"]["format"] == "date-time"
    assert made[-1].validate_python({"at": "2026-01-01T00:00:00Z"}).at.year == 2026
    with pytest.raises(ValidationError):
        made[-1].validate_python({"at": "1767225600"})
