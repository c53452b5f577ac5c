"""The tests: rules, services on real parts, contracts, the whole journey, faults."""
