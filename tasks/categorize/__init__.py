"""Categorize: what each file is for, by rules that are certain or say that they are not."""
