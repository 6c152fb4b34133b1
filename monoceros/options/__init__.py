"""The options: one table (`table`), what a value may be (`kinds`), where values come from (`sources`).

Knows neither the server nor the command line's library. The rule it keeps: an option is declared once, and whatever
else names it is generated from the table or checked against it.
"""
