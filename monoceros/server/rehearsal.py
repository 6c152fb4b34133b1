"""A start and a stop without anything between: whether an application can be served, found out before it matters.

The rule it keeps: what a worker does until it is ready is done here too, but for listening.
"""

import asyncio

from monoceros.config import Config
from monoceros.errors import StartupError
from monoceros.server.build import application_of, check
from monoceros.server.lifespan import Lifespan


def rehearse(config: Config) -> None:
    """Load the application of a Config, and run its lifespan's start-up and shutdown.

    Raises:
        SystemExit: with the exit code; the application or the certificate can't be loaded, and the reason is logged.
        StartupError: the start-up failed, or a library that an option asks for isn't installed.
        UsageError: an option's value has no place here.
    """
    config.load()
    check(config)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        if not runner.run(_start_and_stop(config)):
            raise StartupError("The application's shutdown failed.")


async def _start_and_stop(config: Config) -> bool:
    lifespan = Lifespan(application_of(config), config.lifespan)
    await lifespan.startup()
    return await lifespan.shutdown()
