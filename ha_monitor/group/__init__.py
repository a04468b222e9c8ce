"""Several monitors that share the work: who is there, who publishes what, and by what right."""
