"""The configuration's shape: one frozen object, built once per edge and passed down."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """What can be set from outside, each as `FILEORGANIZER_<NAME>` in the environment.

    A part whose URL is unset is embedded: `fileorganizer up` starts and supervises it below
    `home`. Setting the URL replaces that part by a real one.

    Raises:
        pydantic.ValidationError: a value is malformed or a setting is unknown.
    """

    model_config = SettingsConfigDict(
        env_prefix="FILEORGANIZER_", env_file=None, frozen=True, extra="forbid"
    )

    home: Path = Field(
        default=Path("~/.fileorganizer"),
        description="Folder of everything embedded: Postgres data, Prefect's database, the lake.",
    )
    database_url: SecretStr | None = Field(
        default=None, description="Postgres 15 or newer, `postgresql://user:password@host/name`."
    )
    lake_url: str | None = Field(
        default=None,
        description="Where runs and the warehouse live: a path or `s3://bucket/prefix`.",
    )
    storage_url: str | None = Field(
        default=None, description="Where uploaded bytes of managed storage live."
    )
    redis_url: SecretStr | None = Field(
        default=None, description="Redis for messaging between several servers; optional."
    )
    prefect_api_url: str | None = Field(
        default=None, description="A Prefect server of yours, `http://host:4200/api`."
    )
    prefect_port: int = Field(default=4200, ge=0, le=65535, description="Port of the embedded one.")
    embedder_url: str | None = Field(
        default=None,
        description="Where queries become vectors for search by meaning: `unix:/path/to/socket` or "
        "`http://host:port`; a socket in `home` when unset.",
    )
    api_host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    api_port: int = Field(
        default=8000, ge=0, le=65535, description="Port of the API; 0 is a free one, kept."
    )
    api_connections: int = Field(
        default=16, ge=1, description="Connections to Postgres of one API process."
    )
    api_origins: str = Field(
        default="",
        description="Origins of web pages that may use the API, with commas: `https://app.example`.",
    )
    body_bytes: int = Field(
        default=1_000_000, ge=1000, description="Most bytes of a request's body, uploads aside."
    )
    rate_limits: bool = Field(
        default=True, description="Whether requests are limited: by plan, by address without one."
    )
    sign_in_per_min: int = Field(
        default=60, ge=1, description="Requests a minute of one address for signing in."
    )
    anonymous_per_min: int = Field(
        default=300, ge=1, description="Other requests a minute of one address without a token."
    )
    metrics_token: SecretStr | None = Field(
        default=None, description="Bearer token for /metrics; there is no such path without."
    )
    token_keys: SecretStr | None = Field(
        default=None,
        description="Ed25519 private keys in PEM that sign access tokens, the newest last; "
        "`<home>/keys/tokens.pem`, made at first start, when unset.",
    )
    secret_keys: SecretStr | None = Field(
        default=None,
        description="Fernet keys that encrypt customers' secrets, separated by commas, the newest "
        "last; `<home>/keys/secrets.key`, made at first start, when unset.",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Where people reach the product in a browser; links in mail begin with it.",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Mail server, `smtp://user:password@host:587` or `smtps://...`; without one, "
        "mail is written to `<home>/mail`.",
    )
    mail_from: str = Field(
        default="FileOrganizer <no-reply@localhost>", description="Sender of our mail."
    )
    password_memory_kib: int = Field(
        default=65_536, ge=8_192, description="Memory of one password hash (Argon2id), KiB."
    )
    password_passes: int = Field(default=3, ge=1, description="Passes of one password hash.")
    deletion_grace_days: int = Field(
        default=14, ge=0, le=29, description="Days in which a deletion of an account is taken back."
    )
    export_days: int = Field(default=7, ge=1, description="Days for which an export is kept.")
    allowed_folders: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="Folders below which customers may connect folders of this machine, separated "
        "by `:`; none unless set.",
    )
    allowed_endpoints: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="S3 endpoints that customers may connect although they are not public, such as "
        "a MinIO of yours, separated by spaces.",
    )
    connection_keys: SecretStr | None = Field(
        default=None,
        description="Keys that seal credentials of connections: 32 bytes in base64, separated by "
        "spaces, the newest last; `<home>/keys/connections.key`, made at first use, when unset.",
    )
    s3_endpoint_url: str | None = Field(
        default=None, description="S3-compatible endpoint; AWS when unset."
    )
    work_threads: int = Field(default=0, ge=0, description="Threads per task; 0: one per core.")
    batch_files: int = Field(
        default=1000, ge=1, description="Files per task (20-30 s of work), more in jobs over 1M."
    )
    tenant_jobs: int = Field(
        default=4, ge=1, description="Jobs of one account that may run at the same time."
    )
    sweep_runs: int = Field(
        default=2,
        ge=0,
        description="Flow runs of a visit to all roots at once; 0: one root after the other in the "
        "visit's own run.",
    )
    shard_files: int = Field(
        default=100_000,
        ge=1,
        description="Changed files of one root above which several flow runs read them (half an "
        "hour of work for two cores).",
    )
    task_runner: Literal["threads", "ray"] = Field(
        default="threads",
        description="What batches of reading and embedding run on: `threads`, or a Ray cluster.",
    )
    ray_address: str | None = Field(
        default=None,
        description="Ray cluster, `ray://host:10001` or `auto`; one of this machine when unset.",
    )
    trash_days: int = Field(default=30, ge=0, description="Age at which `purge` empties the trash.")
    warehouse_keep_days: int = Field(
        default=7,
        ge=1,
        description="Days for which files that a compaction of the warehouse replaced stay, for "
        "readers and files of `attach` that began before (Delta Lake's own default).",
    )
    quarantine_days: int = Field(
        default=90,
        ge=1,
        description="Age at which a compaction drops rows in quarantine; why they are there stays.",
    )
    lease_s: float = Field(
        default=30.0, gt=0, description="Life of a job's lease between renewals."
    )
    parser_memory_bytes: int = Field(
        default=1_000_000_000, ge=2**28, description="Address space of a parsing child."
    )
    parser_cpu_s: int = Field(default=10, ge=1, description="CPU seconds a parsing child may use.")
    ocr: bool = Field(
        default=True, description="Read texts off scans, where the extra `ocr` is installed."
    )
    ocr_cpu_s: int = Field(
        default=120, ge=1, description="CPU seconds a child may use to read one scan."
    )
    taxonomy_file: Path | None = Field(
        default=None,
        description="Taxonomy in YAML; `taxonomy.yaml` in `home`, or the one that comes along.",
    )
    archive_cpu_s: int = Field(
        default=300, ge=1, description="CPU seconds a child may use to look into one archive."
    )
    models_folder: Path | None = Field(
        default=None, description="Where learned models are kept; `<home>/models` when unset."
    )
    text_model: str = Field(
        default="all-minilm-l6-v2",
        description="Sentence model: one of `fileorganizer models list`, `local-dir:` and a folder "
        "(for another language), or `off`.",
    )
    image_model: str = Field(
        default="ViT-B-32-256/datacomp_s34b_b86k",
        description="OpenCLIP model: `NAME/TAG`, `NAME@CHECKPOINT`, `local-dir:` and a folder, or "
        "`off`.",
    )
    review_below: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A learned decision less sure than this is left for review.",
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @field_validator("allowed_folders", mode="before")
    @classmethod
    def _folders(cls, value: Any) -> Any:
        """Take `a:b` as PATH has it."""
        return tuple(filter(None, value.split(":"))) if isinstance(value, str) else value

    @field_validator("allowed_endpoints", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        """Take words between spaces."""
        return tuple(value.split()) if isinstance(value, str) else value

    @property
    def home_path(self) -> Path:
        """`home` with `~` expanded, absolute."""
        return self.home.expanduser().absolute()

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins of web pages that may use the API."""
        return tuple(origin for each in self.api_origins.split(",") if (origin := each.strip()))

    @property
    def models_path(self) -> Path:
        """Where learned models are kept."""
        return (self.models_folder or self.home_path / "models").expanduser().absolute()

    @property
    def lake(self) -> str:
        """URL or path of the lake; embedded below `home` when unset."""
        return self.lake_url or str(self.home_path / "lake")

    @property
    def embedder_address(self) -> str:
        """Where queries become vectors; a socket in `home` when unset."""
        return self.embedder_url or f"unix:{self.home_path / 'embedder.sock'}"
