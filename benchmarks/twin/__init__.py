"""The parts of `benchmarks/torch_training.py`: the same training in PyTorch."""
