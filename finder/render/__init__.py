"""How answers look: as JSON, as a table, as a transcript."""
