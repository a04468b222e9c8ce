"""Publishing: what should stand in etcd for each resource, and bringing it there."""
