"""Serves the API alone: `python -m api.main`."""

import sys

from api.app import create_app
from models.domain.errors import EXIT_CODES, FileOrganizerError
from models.settings import Settings


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit status is that of STYLE's table of errors."""
    import uvicorn

    settings = Settings()
    try:
        app = create_app(settings)
    except FileOrganizerError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CODES[error.kind]
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
