"""What the server says: how a line looks, where it goes, and the access log that doesn't wait for its reader."""
