"""How people ask: one file per command, thin. Parses, calls one library function, hands the answer to a renderer."""
