"""What makes a process a good service: pid file, account, notifications to systemd, title, CPUs and memory.

Each module knows one habit of the operating system's, and nothing of servers, workers or applications.
"""
