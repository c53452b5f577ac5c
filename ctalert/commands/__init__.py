"""Owns: the commands of `ctl` that run and look after the system.
Consumes: the catalogue, the embedded servers, the services' migrations.
Publishes: `run(arguments) -> exit code` in each module.
"""
