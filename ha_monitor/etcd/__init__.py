"""The calls of etcd: connections, deadlines, watch streams, leases, and what their errors mean.

It uses aetcd's generated stubs (``aetcd.rpc``), on a channel of :mod:`ha_monitor.wire`. Not its watcher, which
reconnects, resumes and reports cancellations to nobody; what a watch must do instead is in
:mod:`ha_monitor.watch.state_machine`.
"""
