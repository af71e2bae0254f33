"""`python -m scaling_cli.files` brings the JSON files under presets/ up to date with the presets."""

from scaling_cli.files.budget_schema import write_schema
from scaling_cli.files.catalogue import write_catalogue
from scaling_cli.files.hardware import HARDWARE
from scaling_cli.files.models import MODELS

write_catalogue()
HARDWARE.write()
MODELS.write()
write_schema()
