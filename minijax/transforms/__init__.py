"""What can be done to a program: run it, write it down, differentiate, vectorise, lower it."""
