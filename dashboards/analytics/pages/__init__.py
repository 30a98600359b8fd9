"""The pages: each asks its questions and lays the answers out."""
