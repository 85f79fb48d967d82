"""What is a value, a type, a program and a trace? The nouns every other layer speaks in."""
