"""The proof that no request is lost: a load that hides nothing, servers that are disturbed under it, and the count."""
