"""The warehouse: row shapes, rows at rest, queries and quality."""
