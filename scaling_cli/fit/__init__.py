"""What runs say: from runs to a law, with uncertainty. The only importer of numpy and scipy."""
