"""Takes the rules of the request framing out, one at a time, and sees whether the tests of the wire layer notice.

`python -m tests.mutants` prints each rule that could go unnoticed, and exits with 1 if there is one. See `rules` for
what counts as a rule. `--only MODULE` looks at one module, `--list` shows what would be taken out.
"""
