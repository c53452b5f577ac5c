"""The subscriber service's first tables: residents, contact points, places, consent, codes."""

from shared.bus.outbox import outbox_ddl
from shared.db.migrate import execute_script
from shared.web.idempotency import idempotency_ddl
from shared.web.limits import rate_ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_RESIDENTS = """
CREATE TABLE subscriber_import_batch (
    batch text PRIMARY KEY,
    source text NOT NULL,
    residents int NOT NULL DEFAULT 0 CHECK (residents >= 0),
    taken_in_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE subscriber_resident (
    subscriber_id uuid PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    language text NOT NULL,
    preferences jsonb NOT NULL,
    batch text REFERENCES subscriber_import_batch,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    -- The first contact point became reachable: from here on the other services know of them.
    confirmed_at timestamptz
);
CREATE INDEX subscriber_resident_unconfirmed
    ON subscriber_resident (created_at) WHERE confirmed_at IS NULL;

-- Kept for ever, with nothing personal in it: no older version may bring the person back.
CREATE TABLE subscriber_erased (
    subscriber_id uuid PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    erased_at timestamptz NOT NULL DEFAULT now()
);
"""

_POINTS = """
CREATE TABLE subscriber_contact_point (
    contact_id uuid PRIMARY KEY,
    subscriber_id uuid NOT NULL REFERENCES subscriber_resident ON DELETE CASCADE,
    channel text NOT NULL CHECK (channel IN ('sms', 'voice', 'email')),
    address_sealed text NOT NULL,
    address_hash bytea NOT NULL CHECK (length(address_hash) = 32),
    hash_key_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('unverified', 'verified', 'statutory')),
    position smallint NOT NULL CHECK (position >= 0),
    added_at timestamptz NOT NULL DEFAULT now(),
    verified_at timestamptz,
    opted_in_at timestamptz,
    opted_out_at timestamptz,
    suspended_at timestamptz,
    suspended_for text,
    UNIQUE (subscriber_id, channel, address_hash),
    -- CGS 28-28a: numbers from the 911 data are wired landlines.
    CHECK (state <> 'statutory' OR channel = 'voice'),
    CHECK (state = 'unverified' OR opted_in_at IS NOT NULL),
    CHECK ((suspended_at IS NULL) = (suspended_for IS NULL))
);
CREATE INDEX subscriber_contact_point_address
    ON subscriber_contact_point (address_hash, channel);

CREATE TABLE subscriber_place (
    place_id uuid PRIMARY KEY,
    subscriber_id uuid NOT NULL REFERENCES subscriber_resident ON DELETE CASCADE,
    label_sealed text NOT NULL,
    lon double precision NOT NULL CHECK (lon BETWEEN -180 AND 180),
    lat double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
    uncertainty_m real NOT NULL DEFAULT 0 CHECK (uncertainty_m BETWEEN 0 AND 100000),
    position smallint NOT NULL CHECK (position >= 0),
    added_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX subscriber_place_resident ON subscriber_place (subscriber_id);

-- Addresses that asked to be left alone: all that stays of somebody who left.
CREATE TABLE subscriber_suppression (
    channel text NOT NULL CHECK (channel IN ('sms', 'voice', 'email')),
    address_hash bytea NOT NULL CHECK (length(address_hash) = 32),
    hash_key_id text NOT NULL,
    reason text NOT NULL,
    suppressed_at timestamptz NOT NULL,
    PRIMARY KEY (channel, address_hash)
);
"""

_CONSENT = """
CREATE TABLE subscriber_consent (
    consent_id bigserial PRIMARY KEY,
    subscriber_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    channel text NOT NULL,
    action text NOT NULL CHECK (action IN
        ('given', 'verified', 'opted_out', 'rejoined', 'suspended', 'removed')),
    source text NOT NULL,
    wording text,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX subscriber_consent_resident ON subscriber_consent (subscriber_id);

CREATE FUNCTION subscriber_consent_is_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (
        SELECT FROM subscriber_resident WHERE subscriber_id = OLD.subscriber_id
    ) THEN
        RETURN OLD;  -- the person is gone, and their history with them
    END IF;
    RAISE EXCEPTION 'consent history is only ever added to' USING ERRCODE = '55000';
END $$;
CREATE TRIGGER history BEFORE UPDATE OR DELETE ON subscriber_consent
    FOR EACH ROW EXECUTE FUNCTION subscriber_consent_is_history();
"""

_CODES = """
CREATE TABLE subscriber_code (
    contact_id uuid PRIMARY KEY REFERENCES subscriber_contact_point ON DELETE CASCADE,
    subscriber_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    hash_key_id text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    tries smallint NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 5),
    used_at timestamptz
);
CREATE INDEX subscriber_code_expiry ON subscriber_code (expires_at);
"""


def upgrade() -> None:
    """Make every table; none is guarded by town, because residents belong to themselves."""
    for part in (_RESIDENTS, _POINTS, _CONSENT, _CODES):
        execute_script(part)
    for ddl in (outbox_ddl, idempotency_ddl, rate_ddl):
        for statement in ddl("subscriber"):
            execute_script(statement)


def downgrade() -> None:
    """Refuse: consent is evidence, and a dropped table is none."""
    raise NotImplementedError("the first tables are not taken back; restore a backup instead")
