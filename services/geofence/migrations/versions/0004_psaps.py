"""The directory of 9-1-1 centres, their tests, and evacuation zone statuses."""

from shared.db.migrate import execute_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DIRECTORY = r"""
-- A record holds from its moment until the next of its code; a later revision of the same moment
-- corrects it. Nothing is ever changed or deleted, so last year's answers stay last year's.
CREATE TABLE geofence_psap_record (
    code text NOT NULL CHECK (code ~ '^[!-.0-~]([ -.0-~]{0,62}[!-.0-~])?$'),
    valid_from timestamptz NOT NULL,
    revision integer NOT NULL CHECK (revision >= 1),
    ended boolean NOT NULL,
    consolidated_into text,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    fallout_numbers text[] NOT NULL
        CHECK (array_to_string(fallout_numbers, '', '?') ~ '^(\+1[2-9][0-9]{9})*$'),
    emergency_numbers text[] NOT NULL
        CHECK (array_to_string(emergency_numbers, '', '?') ~ '^(\+1[2-9][0-9]{9})*$'),
    police_kind text CHECK (police_kind IN ('local_police', 'state_police_troop')),
    police_label text,
    police_number text CHECK (police_number ~ '^\+1[2-9][0-9]{9}$'),
    interpreter_number text CHECK (interpreter_number ~ '^\+1[2-9][0-9]{9}$'),
    interpreter_only_9_1_1 boolean,
    interpreter_note text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    recorded_by text NOT NULL,
    PRIMARY KEY (code, valid_from, revision),
    CHECK ((police_kind IS NULL) = (police_number IS NULL)
           AND (police_label IS NULL) = (police_number IS NULL)),
    CHECK ((interpreter_only_9_1_1 IS NULL) = (interpreter_number IS NULL)),
    CHECK (ended OR consolidated_into IS NULL)
);

-- Each row holds until the next of its town: from the first on a town has one centre at any moment.
CREATE TABLE geofence_psap_town (
    town text NOT NULL CHECK (town ~ '^[0-9]{10}$'),
    valid_from timestamptz NOT NULL,
    revision integer NOT NULL CHECK (revision >= 1),
    code text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    recorded_by text NOT NULL,
    PRIMARY KEY (town, valid_from, revision)
);
CREATE INDEX geofence_psap_town_code ON geofence_psap_town (code);

CREATE VIEW geofence_psap_period WITH (security_invoker = true) AS
SELECT newest.*,
       coalesce(lead(valid_from) OVER (PARTITION BY code ORDER BY valid_from), 'infinity')
           AS valid_until
  FROM (SELECT DISTINCT ON (code, valid_from) * FROM geofence_psap_record
         ORDER BY code, valid_from, revision DESC) AS newest;

CREATE VIEW geofence_psap_town_period WITH (security_invoker = true) AS
SELECT newest.*,
       coalesce(lead(valid_from) OVER (PARTITION BY town ORDER BY valid_from), 'infinity')
           AS valid_until
  FROM (SELECT DISTINCT ON (town, valid_from) * FROM geofence_psap_town
         ORDER BY town, valid_from, revision DESC) AS newest;

-- Towns that at some moment belong to a centre that is not there at that moment.
CREATE VIEW geofence_psap_orphan WITH (security_invoker = true) AS
SELECT town, code, valid_from, valid_until
  FROM geofence_psap_town_period AS served
 WHERE NOT EXISTS (SELECT 1 FROM geofence_psap_period AS begun
                    WHERE begun.code = served.code AND begun.valid_from <= served.valid_from)
    OR EXISTS (SELECT 1 FROM geofence_psap_period AS gone
                WHERE gone.code = served.code AND gone.ended
                  AND gone.valid_from < served.valid_until
                  AND gone.valid_until > served.valid_from);

-- Two changes at once would each be right alone: they come one after the other.
CREATE FUNCTION geofence_psap_lock() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('geofence.psaps', 0));
    RETURN NULL;
END $body$;

CREATE FUNCTION geofence_psap_check() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    broken boolean;
BEGIN
    IF TG_TABLE_NAME = 'geofence_psap_town' THEN
        broken := EXISTS (SELECT 1 FROM geofence_psap_orphan WHERE town = NEW.town);
    ELSE
        broken := EXISTS (SELECT 1 FROM geofence_psap_orphan WHERE code = NEW.code);
    END IF;
    IF broken THEN
        RAISE EXCEPTION 'a town would be left without its 9-1-1 centre'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'geofence_psap_orphan';
    END IF;
    RETURN NULL;
END $body$;

CREATE FUNCTION geofence_append_only() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $body$;
"""

GUARDED = """
CREATE TRIGGER {table}_lock BEFORE INSERT ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION geofence_psap_lock();
CREATE CONSTRAINT TRIGGER {table}_orphans AFTER INSERT ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION geofence_psap_check();
CREATE POLICY read ON {table} FOR SELECT USING (true);
-- The directory is the whole state's.
CREATE POLICY write ON {table} FOR INSERT
    WITH CHECK (current_setting('ctalert.town', true) = '*');
"""

DATED = """
-- How a number was found to ring; the key and its digest make a repeated request the same test.
CREATE TABLE geofence_ring_through (
    test_id uuid PRIMARY KEY,
    code text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('fallout', 'emergency')),
    number text NOT NULL,
    tested_at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('rang_through', 'auto_attendant', 'digits_to_press',
                                             'no_answer', 'busy', 'wrong_party')),
    note text NOT NULL CHECK (length(note) <= 500),
    tested_by text NOT NULL,
    by_town text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    request_key text NOT NULL,
    request_digest bytea NOT NULL CHECK (octet_length(request_digest) = 32),
    UNIQUE (tested_by, request_key)
);
CREATE INDEX geofence_ring_through_number
    ON geofence_ring_through (code, kind, number, tested_at DESC, test_id DESC);

-- A moment ahead of our own clock counts as the moment it was said.
CREATE TABLE geofence_zone_status (
    status_id uuid PRIMARY KEY,
    zone text NOT NULL,
    status text NOT NULL CHECK (status IN ('none', 'watch', 'warning', 'order', 'shelter',
                                           'all_clear')),
    said_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    recorded_by text NOT NULL,
    by_town text NOT NULL
);
CREATE INDEX geofence_zone_status_newest
    ON geofence_zone_status (zone, said_at DESC, recorded_at DESC);
"""

TOWNS_OWN = """
CREATE POLICY read ON {table} FOR SELECT USING (true);
CREATE POLICY write ON {table} FOR INSERT
    WITH CHECK (by_town = current_setting('ctalert.town', true));
"""

APPEND_ONLY = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION geofence_append_only();
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Make the tables."""
    execute_script(DIRECTORY)
    execute_script(DATED)
    for table in ("geofence_psap_record", "geofence_psap_town"):
        execute_script((APPEND_ONLY + GUARDED).format(table=table))
    for table in ("geofence_ring_through", "geofence_zone_status"):
        execute_script((APPEND_ONLY + TOWNS_OWN).format(table=table))
