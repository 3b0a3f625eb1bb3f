"""Files on disk to values: what each format holds, and what it leaves unsaid."""
