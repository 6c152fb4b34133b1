"""The standalone prefork master: it holds the listening sockets, keeps its workers alive and replaces them in time."""

VARIABLE = "_MONOCEROS_LUGGAGE"
"""The environment variable that names the descriptor of what a master hands on; see `luggage`."""
