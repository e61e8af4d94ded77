"""A compiled decoding column for CPUs; where no compiler is at hand, everything runs without it."""
