"""What a law is and what follows from it: standard library only, no files, no printing."""
