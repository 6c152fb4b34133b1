"""The standalone prefork master: it holds the listening sockets, keeps its workers alive and replaces them in time."""
