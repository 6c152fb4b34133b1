"""Applications to try the server with. Each is a module of its own: copy one, and it runs."""
