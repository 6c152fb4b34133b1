"""Peers that hold a server up by being slow: `make attacks`, or `python -m tests.attacks --help`.

A server with few descriptors meets more slow connections than it can hold, while others ask on connections of their
own. It has to answer them.
"""
