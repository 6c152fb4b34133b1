"""The formatters by the names that logging configurations use: `"()": "monoceros.logging.DefaultFormatter"`."""

from monoceros.logs.formatters import TRACE_LOG_LEVEL, AccessFormatter, ColourizedFormatter, DefaultFormatter

__all__ = ["TRACE_LOG_LEVEL", "AccessFormatter", "ColourizedFormatter", "DefaultFormatter"]
