"""Plan: from files, categories and duplicates to rows that say exactly what will happen."""
