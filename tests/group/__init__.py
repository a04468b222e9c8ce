"""Several monitors that share the work."""
