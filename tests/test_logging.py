"""The names that logging configurations use."""

import logging
import logging.config

import monoceros.logging
from monoceros.logs import formatters


def test_the_formatters_are_found_under_the_name_a_configuration_uses() -> None:
    for name in monoceros.logging.__all__:
        assert getattr(monoceros.logging, name) is getattr(formatters, name)
    assert monoceros.logging.TRACE_LOG_LEVEL == 5


def test_dict_config_makes_them() -> None:
    configurator = logging.config.DictConfigurator({"version": 1})
    for name in ("DefaultFormatter", "AccessFormatter", "ColourizedFormatter"):
        made = configurator.configure_custom(
            {"()": f"monoceros.logging.{name}", "fmt": "%(levelprefix)s", "datefmt": "%H", "use_colors": True}
        )
        assert isinstance(made, logging.Formatter)
        assert made.datefmt == "%H"
