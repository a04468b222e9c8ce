"""The whole of it on one machine: an etcd of its own, sample HA interfaces, and failovers to look at."""
