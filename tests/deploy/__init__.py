"""What stands around the server in production, real: a proxy in front of it."""
