"""Prometheus metrics: rooms declare theirs once at the top of a module, a process shows all."""

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram
from prometheus_client import generate_latest as _write

__all__ = ["Counter", "Gauge", "Histogram", "http_requests", "http_seconds", "pages", "render"]

pages = Counter("ctalert_pages_total", "Reasons to wake somebody", ["service", "reason"])
http_requests = Counter(
    "ctalert_http_requests_total", "Requests answered", ["service", "method", "route", "status"]
)
http_seconds = Histogram(
    "ctalert_http_request_seconds",
    "Time to answer a request",
    ["service", "method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


def render() -> tuple[bytes, str]:
    """Return every metric of this process and the media type it is written in."""
    return _write(REGISTRY), CONTENT_TYPE_LATEST
