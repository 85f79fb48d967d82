"""How is a program written for compilers? StableHLO in memory, and its text."""
