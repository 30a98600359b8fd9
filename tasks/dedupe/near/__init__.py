"""Contents that are nearly the same: search, proof, groups, thresholds. Pure."""
