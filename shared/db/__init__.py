"""Owns: the way to PostgreSQL: engine, transaction with its town, raw SQL, migrations.

Consumes: a database URL of one service. Publishes: nothing.
"""
