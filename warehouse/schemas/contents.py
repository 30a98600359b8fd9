"""What is kept of contents, whoever has them: caches by hash and version, never a run's rows."""

from models.domain.embeddings import EmbeddingRow
from warehouse.schemas.tables import WarehouseTable

EMBEDDINGS = WarehouseTable(
    name="embeddings",
    row=EmbeddingRow,
    identity=("sha256", "model_id", "tower"),
    has_partitions=False,
)
