"""Benchmarks of speed, memory and accuracy. Run them with `make bench` or `python -m benchmarks NAME`."""
