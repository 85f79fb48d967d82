"""Which operations take programs as parameters? Their rules call the transformations below."""
