"""The account itself: profile, preferences, entitlements, usage, audit log, export, deletion."""
