"""Settings of the embedded Postgres, given on its command line at every start."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgres-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_line_prefix": "%m [%p] ",
}
"""For a small machine: a quarter of 1 GB for buffers and sorts. Seven days of logs by weekday.
Compiling queries (jit) costs more than our short queries take."""

THROW_AWAY = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "logging_collector": "off",
}
"""For tests only: a power cut may lose everything, a killed server loses nothing committed."""


def options(settings: dict[str, str], port: int) -> str:
    """The server's command line, as one text for `pg_ctl --options`."""
    return " ".join(f"-c {name}='{value}'" for name, value in (settings | {"port": port}).items())
