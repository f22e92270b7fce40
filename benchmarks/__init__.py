"""Benchmarks: one module for each stage of the chain, beside other projects where they are installed.

``python -m benchmarks [NAME ...] --data-root DIR`` prints text per second, tokens per second, peak
memory and the machine. Compare numbers of one run with each other, never with another machine's.
"""
