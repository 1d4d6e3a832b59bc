"""Documentation, and the generators of the pages that are made from code; never shipped."""
