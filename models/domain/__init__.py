"""Pure vocabulary: frozen dataclasses, enums, errors and rules; standard library only."""
