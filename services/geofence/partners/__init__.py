"""Owns: asking the dispatcher whose a partner's key is; keeps no key and no answer.
Consumes: nothing.
Publishes: nothing."""
