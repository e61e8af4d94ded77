"""Everything the benchmark can time: our own methods, stock transformers, other engines, servers."""
