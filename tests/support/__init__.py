"""What the tests stand on: a real etcd, a running service, and the keys of a small site."""
