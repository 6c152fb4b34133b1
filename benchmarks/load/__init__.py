"""The load: one process on a core of its own, so that a server's CPU time is the server's alone.

Plain sockets and epoll. Requests are made once, and an answer is compared with the first one, which is read with care;
any that differs ends the run, for a figure over failures would mean nothing.
"""
