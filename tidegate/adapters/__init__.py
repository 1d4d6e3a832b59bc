"""One module per AWS thing. An adapter makes the calls and gives domain values; it decides nothing."""
