"""A client of the API, hand-thin over its OpenAPI document: what it calls, a test holds."""
