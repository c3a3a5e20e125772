"""Maps between encoders of texts that have seen other texts: what finds them, and whether it knows that it did."""
