"""The ladder of knowledge: what a map between two networks costs in error, by what is known of them."""
