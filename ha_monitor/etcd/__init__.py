"""The only room that knows aetcd and gRPC: channels, calls with a deadline, watch streams, and what their errors mean.

It uses aetcd's generated stubs (``aetcd.rpc``). Not its watcher, which reconnects, resumes and reports
cancellations to nobody; what a watch must do instead is in :mod:`ha_monitor.watch.state_machine`.
"""
