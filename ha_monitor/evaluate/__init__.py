"""Evaluating: from templates and configs to rendered resources, one task each, and from their states to verdicts."""
