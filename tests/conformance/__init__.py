"""Suites of others that say what a protocol asks for, and the real server they are run against."""
