"""Those who are told of changes."""
