"""Reading: what the value of a key says, whatever stands there."""
