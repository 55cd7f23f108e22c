"""recsys: feature embeddings for recommenders, in JAX and Flax."""
