"""HTTP, read-only: what others may ask a running monitor. Needs the extra ``http``."""
