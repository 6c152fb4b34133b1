"""Random bytes against what reads them: `make fuzz`, or `python -m tests.fuzz.fuzz_http [arguments of libFuzzer]`.

A target is a module `fuzz_NAME`. Its invariant stands at its top; it has `check`, which is given one input and raises
if that breaks the invariant, and `CORPUS`, the folder of the inputs that once did, or that nothing else leads to. It
may have `seeds`, which yields more inputs to begin with, and `MUTATIONS`, how many of them the test suite tries.
"""
