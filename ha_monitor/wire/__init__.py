"""gRPC as a client speaks it over HTTP/2, on the event loop itself: a channel for generated stubs.

gRPC's own core reads its sockets in a thread, which wakes the loop by another socket. Beside it, a watch on this one
hears of a change by an eighth sooner, and a record written for that is seen by a fifth sooner (README, Speed and size).
"""
