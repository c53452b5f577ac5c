"""The dispatcher's first tables: partners, alerts, contacts, broadcasts, deliveries, receipts."""

from shared.bus.outbox import outbox_ddl
from shared.db.migrate import execute_script
from shared.web.idempotency import idempotency_ddl
from shared.web.limits import rate_ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STAFF = """
CREATE TABLE dispatcher_partner (
    partner_id uuid PRIMARY KEY,
    name text NOT NULL,
    sender text NOT NULL UNIQUE,
    key_prefix text NOT NULL UNIQUE,
    key_hash bytea NOT NULL,
    categories text[] NOT NULL DEFAULT '{}',
    town text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);
CREATE TABLE dispatcher_page (
    reason_key text PRIMARY KEY,
    paged_at timestamptz NOT NULL
);
"""

_ALERTS = """
CREATE TABLE dispatcher_alert (
    alert_id uuid PRIMARY KEY,
    town text NOT NULL,
    version int NOT NULL DEFAULT 1 CHECK (version >= 1),
    state text NOT NULL,
    origin text NOT NULL CHECK (origin IN ('console', 'cap')),
    status text NOT NULL,
    event text NOT NULL,
    category text NOT NULL,
    severity text NOT NULL,
    urgency text NOT NULL,
    certainty text NOT NULL,
    emergency boolean NOT NULL,
    channels text[] NOT NULL,
    texts jsonb NOT NULL,
    content_digest text NOT NULL,
    area_request jsonb NOT NULL,
    area_wkb bytea,
    area_digest text,
    area_answer jsonb,
    expected_people int,
    digest text,
    nobody_yet boolean NOT NULL DEFAULT false,
    expires_at timestamptz NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    submitted_by text,
    submitted_at timestamptz,
    approved_by text,
    approved_at timestamptz,
    announced_at timestamptz,
    resolved_at timestamptz,
    dispatching_at timestamptz,
    sent_at timestamptz,
    cancelled_by text,
    cancelled_at timestamptz,
    ended_at timestamptz,
    hold_reason text,
    cap_id text
);
CREATE INDEX dispatcher_alert_live ON dispatcher_alert (state, expires_at)
    WHERE state IN ('draft', 'pending_approval', 'returned', 'approved', 'dispatching', 'sent',
                    'cancelling');
CREATE INDEX dispatcher_alert_town ON dispatcher_alert (town, created_at);
CREATE TABLE dispatcher_cap_message (
    sender text NOT NULL,
    identifier text NOT NULL,
    sent timestamptz NOT NULL,
    digest bytea NOT NULL,
    alert_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sender, identifier)
);
"""

_CONTACTS = """
CREATE TABLE dispatcher_card (
    subscriber_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    erased boolean NOT NULL DEFAULT false,
    opted_in_at timestamptz,
    language text,
    categories text[] NOT NULL DEFAULT '{}',
    severity_floor text NOT NULL DEFAULT 'Unknown',
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX dispatcher_card_changed ON dispatcher_card (changed_at);
CREATE TABLE dispatcher_contact (
    contact_id uuid PRIMARY KEY,
    subscriber_id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('sms', 'voice', 'email')),
    address_sealed text NOT NULL,
    address_hash bytea NOT NULL CHECK (octet_length(address_hash) = 32),
    hash_key_id text NOT NULL,
    basis text NOT NULL CHECK (basis IN ('verified', 'statutory')),
    position int NOT NULL,
    opted_in_at timestamptz NOT NULL
);
CREATE INDEX dispatcher_contact_address ON dispatcher_contact (channel, address_hash);
CREATE INDEX dispatcher_contact_subscriber ON dispatcher_contact (subscriber_id);
CREATE TABLE dispatcher_suppression (
    channel text NOT NULL CHECK (channel IN ('sms', 'voice', 'email')),
    address_hash bytea NOT NULL CHECK (octet_length(address_hash) = 32),
    hash_key_id text NOT NULL,
    reason text NOT NULL,
    suppressed_at timestamptz NOT NULL,
    lifted_at timestamptz,
    PRIMARY KEY (channel, address_hash)
);
"""

_DELIVERY = """
CREATE TABLE dispatcher_broadcast (
    alert_id uuid NOT NULL,
    version int NOT NULL CHECK (version >= 1),
    kind text NOT NULL CHECK (kind IN ('alert', 'correction', 'notice')),
    town text NOT NULL,
    state text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'held', 'stopped', 'ended')),
    priority text NOT NULL CHECK (priority IN ('notice', 'urgent', 'routine', 'exercise')),
    severity text NOT NULL,
    category text NOT NULL,
    emergency boolean NOT NULL DEFAULT false,
    channels text[] NOT NULL,
    texts jsonb NOT NULL,
    reference text NOT NULL,
    area_digest text NOT NULL,
    nobody_yet boolean NOT NULL DEFAULT false,
    expires_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    stopped_at timestamptz,
    ended_at timestamptz,
    closed_at timestamptz,
    receipts_closed_at timestamptz,
    reason text,
    corrects_version int,
    PRIMARY KEY (alert_id, version)
);
CREATE INDEX dispatcher_broadcast_live ON dispatcher_broadcast (kind, expires_at)
    WHERE state IN ('live', 'held');
CREATE INDEX dispatcher_broadcast_unclosed ON dispatcher_broadcast (alert_id, version)
    WHERE state IN ('stopped', 'ended') AND receipts_closed_at IS NULL;
CREATE TABLE dispatcher_notice (
    notice_id uuid PRIMARY KEY,
    template text NOT NULL,
    language text NOT NULL,
    address_sealed text NOT NULL,
    values_sealed text NOT NULL
);
CREATE TABLE dispatcher_run (
    alert_id uuid NOT NULL,
    version int NOT NULL,
    run_id uuid NOT NULL,
    chunks int NOT NULL,
    members int NOT NULL,
    roster_offsets jsonb NOT NULL,
    roster_topic_id text NOT NULL,
    area_digest text NOT NULL,
    completed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    fanned_out_at timestamptz,
    PRIMARY KEY (alert_id, version, run_id)
);
CREATE INDEX dispatcher_run_open ON dispatcher_run (alert_id) WHERE fanned_out_at IS NULL;
CREATE TABLE dispatcher_chunk (
    chunk_id uuid PRIMARY KEY,
    alert_id uuid NOT NULL,
    version int NOT NULL,
    run_id uuid NOT NULL,
    n int NOT NULL,
    origin text NOT NULL
        CHECK (origin IN ('audience', 'late', 'completion', 'correction', 'notice')),
    members int NOT NULL,
    deliveries int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    UNIQUE (alert_id, version, run_id, n)
);
CREATE INDEX dispatcher_chunk_unpublished ON dispatcher_chunk (created_at)
    WHERE published_at IS NULL;
CREATE TABLE dispatcher_member (
    alert_id uuid NOT NULL,
    version int NOT NULL,
    subscriber_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('inside', 'by_uncertainty')),
    card_version bigint,
    late boolean NOT NULL,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (alert_id, version, subscriber_id)
);
CREATE INDEX dispatcher_member_awaiting ON dispatcher_member (alert_id, version)
    WHERE card_version IS NULL;
CREATE TABLE dispatcher_exclusion (
    alert_id uuid NOT NULL,
    version int NOT NULL,
    subscriber_id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('', 'sms', 'voice', 'email')),
    reason text NOT NULL,
    PRIMARY KEY (alert_id, version, subscriber_id, channel)
);
CREATE TABLE dispatcher_delivery (
    delivery_id uuid PRIMARY KEY,
    alert_id uuid NOT NULL,
    version int NOT NULL,
    channel text NOT NULL CHECK (channel IN ('sms', 'voice', 'email')),
    address_hash bytea NOT NULL,
    hash_key_id text NOT NULL,
    priority text NOT NULL,
    language text NOT NULL,
    chunk_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'pending',
    rank smallint NOT NULL DEFAULT 0,
    epoch int NOT NULL DEFAULT 0,
    attempts int NOT NULL DEFAULT 0,
    swept smallint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    due_at timestamptz,
    provider text,
    sid text,
    code text,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz NOT NULL DEFAULT now(),
    handed_over_at timestamptz,
    delivered_at timestamptz,
    settled_at timestamptz,
    UNIQUE (alert_id, version, channel, address_hash),
    CHECK (state IN ('pending', 'retry_wait', 'held', 'sending', 'unknown', 'accepted', 'sent',
                     'no_receipt', 'delivered', 'undelivered', 'failed', 'suppressed',
                     'cancelled', 'expired', 'superseded'))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX dispatcher_delivery_due ON dispatcher_delivery (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX dispatcher_delivery_lease ON dispatcher_delivery (lease_until)
    WHERE state = 'sending';
CREATE INDEX dispatcher_delivery_open ON dispatcher_delivery (alert_id, version, chunk_id)
    WHERE state IN ('pending', 'retry_wait', 'held');
CREATE INDEX dispatcher_delivery_requested ON dispatcher_delivery (channel, priority, published_at)
    WHERE state IN ('pending', 'retry_wait') AND due_at IS NULL;
CREATE INDEX dispatcher_delivery_sid ON dispatcher_delivery (sid) WHERE sid IS NOT NULL;
CREATE TABLE dispatcher_delivery_member (
    delivery_id uuid NOT NULL,
    subscriber_id uuid NOT NULL,
    PRIMARY KEY (delivery_id, subscriber_id)
);
CREATE INDEX dispatcher_delivery_member_subscriber
    ON dispatcher_delivery_member (subscriber_id);
CREATE TABLE dispatcher_attempt (
    delivery_id uuid NOT NULL,
    epoch int NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    provider text,
    sid text,
    outcome text,
    code text,
    PRIMARY KEY (delivery_id, epoch)
) WITH (fillfactor = 70);
"""

# The same identifier as shared.identifiers.derive_id(alert, version, channel, hash), made inside
# the statement that writes the row, so that a hundred thousand ids need no trip to Python.
_DELIVERY_ID = """
CREATE FUNCTION dispatcher_delivery_id(alert uuid, version int, channel text, hash bytea)
RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$
    SELECT CAST(encode(set_byte(set_byte(d.raw, 6, (get_byte(d.raw, 6) & 15) | 128),
                                8, (get_byte(d.raw, 8) & 63) | 128), 'hex') AS uuid)
    FROM (SELECT substr(sha256(
        CAST('u' AS bytea) || int4send(16) || uuid_send(alert)
        || CAST('i' AS bytea) || int4send(length(CAST(version AS text)))
        || convert_to(CAST(version AS text), 'UTF8')
        || CAST('s' AS bytea) || int4send(octet_length(channel)) || convert_to(channel, 'UTF8')
        || CAST('b' AS bytea) || int4send(octet_length(hash)) || hash), 1, 16) AS raw) AS d
$body$;
"""

_RECEIPTS = """
CREATE TABLE dispatcher_receipt (
    provider text NOT NULL,
    sid text NOT NULL,
    status text NOT NULL,
    delivery_id uuid NOT NULL,
    code text,
    received_at timestamptz NOT NULL,
    effect text NOT NULL CHECK (effect IN ('moved', 'evidence', 'unknown')),
    PRIMARY KEY (provider, sid, status)
);
CREATE INDEX dispatcher_receipt_delivery ON dispatcher_receipt (delivery_id);
CREATE TABLE dispatcher_inbound (
    inbound_id text PRIMARY KEY,
    channel text NOT NULL,
    address_hash bytea NOT NULL,
    received_at timestamptz NOT NULL,
    meaning text NOT NULL
);
"""

_GUARD = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY of_town ON {table}
    USING (current_setting('ctalert.town', true) IN ('*', town))
    WITH CHECK (current_setting('ctalert.town', true) IN ('*', town));
"""


def upgrade() -> None:
    """Make every table; the two that hold a town's rows are guarded by row-level security."""
    for part in (_STAFF, _ALERTS, _CONTACTS, _DELIVERY, _DELIVERY_ID, _RECEIPTS):
        execute_script(part)
    for table in ("dispatcher_alert", "dispatcher_broadcast"):
        execute_script(_GUARD.format(table=table))
    for ddl in (outbox_ddl, idempotency_ddl, rate_ddl):
        for statement in ddl("dispatcher"):
            execute_script(statement)


def downgrade() -> None:
    """Refuse: deliveries are evidence, and a dropped table is none."""
    raise NotImplementedError("the first tables are not taken back; restore a backup instead")
