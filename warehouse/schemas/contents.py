"""What is kept of contents, whoever has them: caches by hash and version, never a run's rows."""

from models.domain.embeddings import EmbeddingRow, TextEvidence
from warehouse.schemas.tables import WarehouseTable

TEXT_EVIDENCE = WarehouseTable(
    name="text_evidence", row=TextEvidence, identity=("sha256", "version"), has_partitions=False
)
EMBEDDINGS = WarehouseTable(
    name="embeddings", row=EmbeddingRow, identity=("sha256", "model_id"), has_partitions=False
)
