"""Speed and fault figures, each one command: `make bench` or `python -m benchmarks NAME`."""
