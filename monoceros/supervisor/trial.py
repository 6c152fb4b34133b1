"""A trial of new code, in a process of its own: the child that a master starts before it executes itself anew.

One of the two modules of the supervisor that know the server. The rule it keeps: what it reports is its own word, given
when all is done. A program that ends in another way, be it with exit code 0, has not shown that it can be served.
"""

import logging
import os
import sys
import threading
from socket import socket
from typing import NoReturn

from monoceros.config import Config
from monoceros.errors import EXIT_STARTUP, StartupError, UsageError
from monoceros.service import identity
from monoceros.service.pidfile import PidFile
from monoceros.supervisor.channel import Channel, Word, end_with_the_master
from monoceros.supervisor.luggage import Luggage

logger = logging.getLogger("monoceros.error")


def undergo(config: Config, luggage: Luggage) -> NoReturn:
    """Find out whether a Config can be served, tell the master, and end; nothing of the caller's program follows.

    Arguments:
        config: the options, not loaded.
        luggage: what the master handed on.
    """
    line = Channel(socket(fileno=luggage.line))
    threading.Thread(target=end_with_the_master, args=(line,), name="monoceros-lifeline", daemon=True).start()
    code = EXIT_STARTUP
    try:
        _serve_nobody(config, luggage.sender)
        line.send(Word.READY)
        code = 0
    except (StartupError, UsageError) as error:
        logger.error("%s", error, exc_info=error.__cause__)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else code
    except Exception:
        logger.exception("The trial of the new code failed.")
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _serve_nobody(config: Config, master: int) -> None:
    """Do what the master will do once it is executed, and then what its workers do, but for listening."""
    from monoceros.server.rehearsal import rehearse

    if config.pid_file is not None:
        PidFile(config.pid_file).check(besides=master)
    who = identity.resolve(config.user, config.group)
    if who is not None and not config.preload:  # with it, the master imports as who it is
        config.load_tls()
        who.assume()
    rehearse(config)
