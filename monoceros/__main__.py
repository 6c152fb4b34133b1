"""`python -m monoceros app:app`: the command, run by the interpreter of one's choice."""

from monoceros.cli import main

if __name__ == "__main__":
    main(prog_name="python -m monoceros")
