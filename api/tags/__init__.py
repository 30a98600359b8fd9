"""Tags: made, renamed, colored, united, removed."""
