"""The option table: every option, declared once.

The command line, the environment, the file, `Config`, its signature, docs/settings.md and keywords.py are made from it.
"""

from monoceros.options.limits import LIMIT_OPTIONS
from monoceros.options.option import Option, Place
from monoceros.options.process import PROCESS_OPTIONS, PROGRAM_OPTIONS
from monoceros.options.service import SERVICE_OPTIONS
from monoceros.options.traffic import OWN_OPTIONS, TRAFFIC_OPTIONS

# By position too, in this order.
POSITIONAL: tuple[Option, ...] = PROCESS_OPTIONS + TRAFFIC_OPTIONS

OPTIONS: tuple[Option, ...] = POSITIONAL + LIMIT_OPTIONS + OWN_OPTIONS + SERVICE_OPTIONS + PROGRAM_OPTIONS

KEYWORDS: dict[str, Option] = {option.name: option for option in OPTIONS if Place.KEYWORD in option.places}

# By every name a file or an environment variable may call it.
NAMES: dict[str, Option] = {name: option for option in OPTIONS for name in option.names}
