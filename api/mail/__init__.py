"""Mail: what anybody puts into the outbox, rendered and sent by the dispatcher's process."""
