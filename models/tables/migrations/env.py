"""Alembic's entry: runs revisions on the connection that `deploy.migrations` hands over."""

from alembic import context

from models.tables.schema import COMPARISON

context.configure(connection=context.config.attributes["connection"], **COMPARISON)
with context.begin_transaction():
    context.run_migrations()
