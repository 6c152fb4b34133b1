"""The same application in five frameworks: the routes are those of `tests/frameworks/questions.py`."""
