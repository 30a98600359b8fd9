"""Apply: carry out an approved plan, journaled and resumable; undo it; empty the trash."""
