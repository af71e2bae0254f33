"""How answers look: values in, strings out. Computes no science; `table` alone imports rich, for widths and colours."""
