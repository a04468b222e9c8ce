"""Speed and size, each figure beside its floor, in one run on one etcd: ``make bench``."""
