"""Explaining: why a resource is what it is, from its config to its record, each step with its key and revision."""
