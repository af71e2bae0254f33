"""What is written down: presets, runs and policies as text files. The only opener of files."""
