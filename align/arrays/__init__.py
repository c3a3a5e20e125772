"""What everything stands on: checks of input, products in full precision, files written whole or not at all."""
