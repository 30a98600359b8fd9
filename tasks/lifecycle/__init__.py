"""The life of a job around its steps: lease, status, progress, cancellation, artifacts."""
