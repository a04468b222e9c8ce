"""Watching: keeps what is in etcd under some prefixes, and knows at every moment whether that can be trusted."""
