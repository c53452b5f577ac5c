"""Every topic there is: its name, what it keeps and what happens to what nobody can read."""

from dataclasses import dataclass

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
CHANNELS = ("sms", "voice", "email")
PRIORITIES = ("notice", "urgent", "routine", "exercise")
DEAD = ".dead"


@dataclass(frozen=True, slots=True)
class Topic:
    """A named stream of one kind of event.

    Args:
        name: as written in FLOWS, before any namespace.
        compacted: keeps the newest record of a key for ever; a null record means forget.
        guarded: alert and audience topics, where everything unreadable also pages.
        partitions: fixed number of partitions, or None for the bus's own number.
        retention_ms: how long records are kept where the topic is not compacted.
        max_bytes: the largest value a producer may send.
    """

    name: str
    compacted: bool = False
    guarded: bool = False
    partitions: int | None = None
    retention_ms: int = 7 * DAY_MS
    max_bytes: int = 1_000_000

    @property
    def pauses_on_unknown_major(self) -> bool:
        """Tell whether a newer major version holds the partition instead of being set aside."""
        return self.compacted or self.guarded

    def config(self) -> dict[str, str]:
        """Return the topic's settings as the broker names them."""
        # "uncompressed" makes the broker unpack what it is given: a compressed bomb is refused
        # there by its real size instead of being unpacked in every consumer.
        settings = {
            "max.message.bytes": str(self.max_bytes + 48_576),
            "compression.type": "uncompressed",
        }
        if self.compacted:
            return settings | {
                "cleanup.policy": "compact",
                "max.compaction.lag.ms": str(6 * HOUR_MS),
                "delete.retention.ms": str(DAY_MS),
                "min.cleanable.dirty.ratio": "0.1",
            }
        return settings | {"retention.ms": str(self.retention_ms)}


PLACE_CHANGED = Topic("subscriber.place.changed", compacted=True)
CONTACT_CHANGED = Topic("subscriber.contact.changed", compacted=True)
NOTICE_REQUESTED = Topic("notice.requested")
INBOUND_RECEIVED = Topic("inbound.received")
CONTACT_REPORTED = Topic("contact.reported")
# 900 kB of compressed WKB are 1.2 MB in base64.
ALERT_APPROVED = Topic("alert.approved", guarded=True, max_bytes=1_400_000)
ALERT_ENDED = Topic("alert.ended", guarded=True)
AUDIENCE_RESOLVED = Topic("audience.resolved", guarded=True)
AUDIENCE_COMPLETED = Topic("audience.completed", guarded=True)
AUDIENCE_REFUSED = Topic("audience.refused", guarded=True)
RECEIPT_RECEIVED = Topic("receipt.received")
HEARTBEAT = Topic("service.heartbeat", partitions=1, retention_ms=HOUR_MS)

_DELIVERY = {
    (channel, priority): Topic(f"delivery.{channel}.{priority}")
    for channel in CHANNELS
    for priority in PRIORITIES
}
DELIVERY: tuple[Topic, ...] = tuple(_DELIVERY.values())

LIVING: tuple[Topic, ...] = (
    PLACE_CHANGED,
    CONTACT_CHANGED,
    NOTICE_REQUESTED,
    INBOUND_RECEIVED,
    CONTACT_REPORTED,
    ALERT_APPROVED,
    ALERT_ENDED,
    AUDIENCE_RESOLVED,
    AUDIENCE_COMPLETED,
    AUDIENCE_REFUSED,
    RECEIPT_RECEIVED,
    *DELIVERY,
    HEARTBEAT,
)


def delivery_topic(channel: str, priority: str) -> Topic:
    """Return the topic of one channel and priority.

    Raises:
        KeyError: there is no such channel or priority.
    """
    return _DELIVERY[channel, priority]


def dead(topic: Topic) -> Topic:
    """Return the topic that holds references to records nobody could handle."""
    return Topic(topic.name + DEAD, partitions=1, retention_ms=30 * DAY_MS)


ALL: tuple[Topic, ...] = LIVING + tuple(dead(topic) for topic in LIVING)
_BY_NAME = {topic.name: topic for topic in ALL}


def topic_named(name: str) -> Topic:
    """Return the topic of that name.

    Raises:
        KeyError: no such topic.
    """
    return _BY_NAME[name]
