"""How is anything known to be right? Checks that hold for every primitive and every backend."""
