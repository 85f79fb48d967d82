"""Which first-order operations are there, and what are their rules? One block each."""
