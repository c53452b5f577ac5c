"""Alembic's environment of the dispatcher: everything is in shared/db/migrate.py."""

from shared.db.migrate import run

run("dispatcher")
