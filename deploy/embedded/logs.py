"""The supervisor's own log: one JSON object per line, in a rotated file."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog

LOG_BYTES = 10_000_000
LOG_FILES = 5


def log_to(path: Path, level: str) -> None:
    """Send this process' logs, ours and the libraries', to a file and nowhere else.

    Args:
        path: The file; its older parts are `path.1` to `path.5`.
        level: DEBUG, INFO, WARNING or ERROR.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for chatty in ("httpx", "httpcore", "filelock", "alembic.runtime.plugins"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
