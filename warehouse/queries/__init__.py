"""What analysts ask: views over the tables, and queries by name."""
