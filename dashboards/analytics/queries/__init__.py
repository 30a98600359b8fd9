"""The questions the dashboards ask, one file each; the first lines say what comes back."""
