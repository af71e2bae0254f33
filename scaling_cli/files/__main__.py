"""`python -m scaling_cli.files` brings presets/catalogue.json up to date with the presets."""

from scaling_cli.files.catalogue import write_catalogue

write_catalogue()
