"""Uploads: files at once by form, or piece by piece by tus; promised, streamed, hashed, kept."""
