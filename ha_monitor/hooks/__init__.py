"""Tells others of changes: a command that is run, a URL that is posted to. The newest wins; the last is never lost."""
