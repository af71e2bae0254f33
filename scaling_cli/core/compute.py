"""FLOP accounting: C = 6ND and its inverses. The only place that knows the 6."""

from scaling_cli.core.duals import Value

# 2 FLOPs per parameter and token forward, 4 backward (Kaplan et al. 2020, arXiv:2001.08361, section 2.1)
FLOPS_PER_PARAM_AND_TOKEN = 6.0


def training_flops(params: Value, tokens: Value) -> Value:
    """Return the training FLOPs of a dense model: 6ND."""
    return FLOPS_PER_PARAM_AND_TOKEN * params * tokens


def other_factor(flops: Value, known: Value) -> Value:
    """Return the tokens for known params, or the params for known tokens, at which 6ND = flops."""
    return flops / (FLOPS_PER_PARAM_AND_TOKEN * known)
