"""Signatures that stay alike when content is changed a little: pictures, sound, film, text."""
