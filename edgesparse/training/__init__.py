"""The training that sparsification and quantization share: the loop, its checkpoints, what is learnt."""
