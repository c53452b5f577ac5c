"""Alembic's environment of the subscriber service: everything is in shared/db/migrate.py."""

from shared.db.migrate import run

run("subscriber")
