"""What makes two latent spaces rigidly related: one factor of architecture and training changed at a time."""
